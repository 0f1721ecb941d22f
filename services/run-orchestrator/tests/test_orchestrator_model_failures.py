"""Models that refuse, fail, break off and are slow: what the run's owner sees of it."""

from typing import Any

import pytest

SECRET = "sk-proj-somebody-elses-secret-key-0123456789"


def error(status: int, message: str = "No.", **more: Any) -> dict[str, Any]:
    return {"status": status, "body": {"error": {"message": message, "type": "x", **more}}}


async def test_a_rate_limit_is_waited_for_as_long_as_asked(stage: Any) -> None:
    await stage.orchestrator()
    limited = {**error(429), "headers": {"retry-after-ms": "1500"}}
    await stage.model.script(limited)
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    first, second = await stage.model.requests()
    assert (first["status"], second["status"]) == (429, 200)
    assert second["at"] - first["at"] >= 1.5


async def test_a_rate_limit_that_outlives_the_run_fails_it(stage: Any) -> None:
    await stage.orchestrator()
    await stage.model.script({**error(429), "headers": {"retry-after": "700"}})
    run = await stage.start_run()
    ended = await stage.until_status(run, "failed")
    assert ended.last_error == {
        "code": "rate_limit_exceeded",
        "message": "The model server's rate limit was reached, and it did not lift in time.",
    }
    assert len(await stage.model.requests()) == 1


async def test_an_account_without_quota_fails_the_run_at_once(stage: Any) -> None:
    await stage.orchestrator()
    await stage.model.script({"error": "insufficient_quota"})
    run = await stage.start_run()
    ended = await stage.until_status(run, "failed")
    assert ended.last_error["code"] == "rate_limit_exceeded"
    assert "quota" in ended.last_error["message"]
    assert len(await stage.model.requests()) == 1


@pytest.mark.parametrize("status", [500, 503, 408])
async def test_a_server_that_fails_is_asked_again(stage: Any, status: int) -> None:
    await stage.orchestrator()
    await stage.model.script(error(status))
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    assert len(await stage.model.requests()) == 2


async def test_a_server_that_keeps_failing_fails_the_run(stage: Any) -> None:
    await stage.orchestrator(model_tries=3)
    await stage.model.script({**error(503, f"see the log of {SECRET}"), "times": None})
    run = await stage.start_run()
    ended = await stage.until_status(run, "failed")
    assert ended.last_error == {"code": "server_error", "message": "The model server failed (HTTP 503)."}
    assert len(await stage.model.requests()) == 3


@pytest.mark.parametrize(
    "steps",
    [
        ["half an", {"gate": "g"}, {"cut": True}],
        ["half an", {"raw": 'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'}],
        ["half an", {"raw": "data: {nonsense\n\n"}],
        ["half an", {"raw": "data: [1, 2]\n\n"}],
    ],
    ids=["cut", "error event", "no JSON", "no chunk"],
)
async def test_a_reply_that_breaks_off_is_asked_for_again(stage: Any, steps: list[Any]) -> None:
    await stage.orchestrator()
    await stage.model.script({"steps": steps}, {"steps": ["a whole answer"]})
    run = await stage.start_run()
    if {"gate": "g"} in steps:
        await stage.model.wait(gate="g")
        await stage.model.release("g")
    await stage.until_status(run, "completed")
    assert await stage.texts(run) == ["a whole answer"]
    assert stage.statuses(run) == ["queued", "in_progress", "completed"]


async def test_a_silent_model_is_given_up_and_asked_again(stage: Any) -> None:
    await stage.orchestrator(model_read_timeout=0.2)
    await stage.model.script({"steps": ["half an", {"gate": "never"}]}, {"steps": ["a whole answer"]})
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    assert await stage.texts(run) == ["a whole answer"]
    await stage.model.wait(client_gone=1)


async def test_a_server_that_is_not_there_fails_the_run(stage: Any, unused_address: str) -> None:
    await stage.orchestrator(openai_base_url=unused_address, model_tries=2)
    run = await stage.start_run()
    ended = await stage.until_status(run, "failed")
    assert ended.last_error == {"code": "server_error", "message": "The model server could not be reached."}


async def test_a_rejected_prompt_fails_the_run_with_the_servers_reason(stage: Any) -> None:
    await stage.orchestrator()
    await stage.model.script(error(400, f"Invalid schema for function 'x' (key {SECRET})."))
    run = await stage.start_run()
    ended = await stage.until_status(run, "failed")
    assert ended.last_error["code"] == "invalid_prompt"
    assert ended.last_error["message"].startswith("Invalid schema for function 'x'")
    assert SECRET not in ended.last_error["message"]
    assert len(await stage.model.requests()) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("invalid_api_key", "key (HTTP 401)"),
        ("permission_denied", "'demo' (HTTP 403)"),
        ("model_not_found", "'demo' (HTTP 404)"),
    ],
)
async def test_a_server_that_does_not_let_us_in_fails_the_run_at_once(stage: Any, name: str, words: str) -> None:
    await stage.orchestrator()
    await stage.model.script({"error": name})
    run = await stage.start_run()
    ended = await stage.until_status(run, "failed")
    assert ended.last_error["code"] == "server_error"
    assert words in ended.last_error["message"]
    assert len(await stage.model.requests()) == 1


async def test_a_prompt_that_is_too_long_is_shortened_once(stage: Any) -> None:
    await stage.orchestrator()
    await stage.model.script({"error": "context_length_exceeded"})
    thread = await stage.new_thread(*(f"message {number}" for number in range(10)))
    run = await stage.runs.start("tenant", thread.id, stage.new_run(await stage.new_assistant()))
    await stage.until_status(run, "completed")
    first, second = [[one["content"] for one in body["messages"]] for body in await stage.model.bodies()]
    assert len(first) == 11
    assert second == ["Be brief.", *(f"message {number}" for number in range(5, 10))]


async def test_a_prompt_that_is_still_too_long_fails_the_run(stage: Any) -> None:
    await stage.orchestrator()
    await stage.model.script({"error": "context_length_exceeded", "times": None})
    thread = await stage.new_thread(*(f"message {number}" for number in range(10)))
    run = await stage.runs.start("tenant", thread.id, stage.new_run(await stage.new_assistant()))
    ended = await stage.until_status(run, "failed")
    assert ended.last_error["code"] == "invalid_prompt"
    assert "maximum context length" in ended.last_error["message"]
    assert len(await stage.model.requests()) == 2


async def test_a_prompt_that_cannot_be_shortened_fails_the_run(stage: Any) -> None:
    await stage.orchestrator()
    await stage.model.script({"error": "context_length_exceeded", "times": None})
    run = await stage.start_run()
    ended = await stage.until_status(run, "failed")
    assert ended.last_error["code"] == "invalid_prompt"
    assert len(await stage.model.requests()) == 1
