"""Runs that call functions: of tool services, of their client, of both; answers that are late, doubled or errors."""

import asyncio
from typing import Any

import orjson
import pytest
from run_engine.domain.drafts import PageRequest

COURSE = "get_moodle_course_content"


def call(name: str, arguments: Any = "{}", call_id: str | None = None) -> dict[str, Any]:
    return {"tool_call": {"name": name, "arguments": arguments, "id": call_id}}


async def with_moodle(stage: Any, *functions: str, **settings: Any) -> None:
    await stage.announce("moodle", 30.0, *(functions or (COURSE,)))
    await stage.orchestrator(tool_services="moodle", **settings)


async def steps_of(stage: Any, run: Any) -> list[Any]:
    request = PageRequest(limit=100, order="asc")
    return list((await stage.runs.list_steps("tenant", run.thread_id, run.id, request)).items)


async def test_a_service_answers_and_the_model_goes_on(stage: Any) -> None:
    await with_moodle(stage)
    run = await stage.start_run("gib mir die termine von moodle kurs 51589", functions=[COURSE])
    (asked,) = await stage.calls_of(run, 1)
    assert (asked["name"], orjson.loads(asked["arguments"])) == (COURSE, {"courseid": "51589"})
    await stage.until(lambda: "awaiting_tools" in stage.statuses(run))
    await stage.answer(asked, "Klausur am 12.03.2025")
    ended = await stage.until_status(run, "completed")
    assert stage.statuses(run) == ["queued", "in_progress", "awaiting_tools", "queued", "in_progress", "completed"]
    assert "12.03.2025" in (await stage.texts(run))[0]
    tools, message = await steps_of(stage, run)
    assert (tools.type, tools.status, tools.tool_calls[0].output) == (
        "tool_calls",
        "completed",
        "Klausur am 12.03.2025",
    )
    assert message.type == "message_creation"
    assert ended.usage.prompt_tokens == tools.usage.prompt_tokens + message.usage.prompt_tokens
    second = (await stage.model.bodies())[1]["messages"]
    assert second[-2]["tool_calls"][0]["id"] == second[-1]["tool_call_id"] == asked["id"]
    assert asked["id"].startswith("call_")


async def test_parallel_calls_go_out_together_and_come_back_in_any_order(stage: Any) -> None:
    await with_moodle(stage, "a", "b")
    # Both calls carry the same id, as some models have it: ours differ.
    await stage.model.script({"steps": [call("a", {"x": 1}, "call_0"), call("b", {"y": 2}, "call_1")]})
    run = await stage.start_run(functions=["a", "b"])
    asked = {one["name"]: one for one in await stage.calls_of(run, 2)}
    assert asked["a"]["id"] != asked["b"]["id"]
    await stage.answer(asked["b"], "of b")
    await stage.answer(asked["a"], "of a")
    await stage.until_status(run, "completed")
    second = (await stage.model.bodies())[1]["messages"]
    assert [one["function"]["name"] for one in second[-3]["tool_calls"]] == ["a", "b"]
    assert [one["content"] for one in second[-2:]] == ["of a", "of b"]


async def test_a_client_answers_its_calls(stage: Any) -> None:
    await with_moodle(stage)
    await stage.model.script({"steps": [call("weather", {"city": "Köln"})]})
    run = await stage.start_run(functions=["weather"])
    waiting = await stage.until_status(run, "requires_action")
    (required,) = waiting.required_calls
    assert (required.name, orjson.loads(required.arguments)) == ("weather", {"city": "Köln"})
    await stage.runs.submit_outputs("tenant", run.thread_id, run.id, [(required.id, "rain")])
    await stage.until_status(run, "completed")
    assert (await stage.model.bodies())[1]["messages"][-1]["content"] == "rain"
    assert stage.calls == []


async def test_one_step_may_mix_calls_of_the_client_and_of_a_service(stage: Any) -> None:
    await with_moodle(stage)
    await stage.model.script({"steps": [call("weather"), call(COURSE, {"courseid": "1"})]})
    run = await stage.start_run(functions=["weather", COURSE])
    waiting = await stage.until_status(run, "requires_action")
    assert [one.name for one in waiting.required_calls] == ["weather"]
    (asked,) = await stage.calls_of(run, 1)
    await stage.runs.submit_outputs("tenant", run.thread_id, run.id, [(waiting.required_calls[0].id, "rain")])
    await stage.until(lambda: "awaiting_tools" in stage.statuses(run))
    await stage.answer(asked, "dates")
    await stage.until_status(run, "completed")
    assert [one["content"] for one in (await stage.model.bodies())[1]["messages"][-2:]] == ["rain", "dates"]


async def test_a_service_that_the_tenant_does_not_allow_is_not_asked(stage: Any) -> None:
    await stage.announce("wiki", 30.0, "search")
    await stage.orchestrator(tool_services="wiki")
    await stage.model.script({"steps": [call("search")]})
    run = await stage.start_run(functions=["search"])
    waiting = await stage.until_status(run, "requires_action")
    assert [one.name for one in waiting.required_calls] == ["search"]


async def test_a_service_that_is_not_pinned_is_not_asked(stage: Any) -> None:
    await stage.announce("moodle")
    await stage.orchestrator(tool_services="")
    await stage.model.script({"steps": [call(COURSE)]})
    run = await stage.start_run(functions=[COURSE])
    await stage.until_status(run, "requires_action")


async def test_the_model_is_told_what_went_wrong_at_a_service(stage: Any) -> None:
    await with_moodle(stage)
    await stage.model.script({"steps": [call(COURSE, {"courseid": "1"})]})
    run = await stage.start_run(functions=[COURSE])
    (asked,) = await stage.calls_of(run, 1)
    await stage.refuse(asked, "not_found", "There is no course 1.")
    await stage.until_status(run, "completed")
    told = orjson.loads((await stage.model.bodies())[1]["messages"][-1]["content"])
    assert told == {"error": {"code": "not_found", "message": "There is no course 1."}}


async def test_the_model_is_told_that_a_service_did_not_answer_in_time(stage: Any) -> None:
    await stage.announce("moodle", 0.5, COURSE)
    await stage.orchestrator(tool_services="moodle")
    await stage.model.script({"steps": [call(COURSE, {"courseid": "1"})]})
    run = await stage.start_run(functions=[COURSE])
    await stage.until_status(run, "completed")
    told = orjson.loads((await stage.model.bodies())[1]["messages"][-1]["content"])
    assert told["error"]["code"] == "timeout"


async def test_a_service_that_stays_silent_is_asked_once_more(stage: Any) -> None:
    await stage.announce("moodle", 6.0, COURSE)
    await stage.orchestrator(tool_services="moodle")
    await stage.model.script({"steps": [call(COURSE, {"courseid": "1"})]})
    run = await stage.start_run(functions=[COURSE])
    first, second = await stage.calls_of(run, 2)
    assert first["id"] == second["id"]
    await stage.answer(second, "dates")
    await stage.until_status(run, "completed")


async def test_answers_that_come_twice_or_late_change_nothing(stage: Any) -> None:
    await with_moodle(stage)
    await stage.model.script({"steps": [call(COURSE, {"courseid": "1"})]})
    run = await stage.start_run(functions=[COURSE])
    (asked,) = await stage.calls_of(run, 1)
    for output in ("the first", "the second", "the third"):
        await stage.answer(asked, output)
    await stage.refuse(asked, "late", "Too late.")
    await stage.until_status(run, "completed")
    await stage.answer(asked, "after the end")
    other = await stage.start_run()
    await stage.until_status(other, "completed")
    assert [one["content"] for one in (await stage.model.bodies())[1]["messages"] if one["role"] == "tool"] == [
        "the first"
    ]
    assert len(await stage.texts(run)) == 1
    assert stage.statuses(run).count("in_progress") == 2


async def test_a_forced_choice_holds_for_the_first_round_only(stage: Any) -> None:
    await with_moodle(stage)
    run = await stage.start_run(
        "termine in kurs 51589", functions=[COURSE], tool_choice={"type": "function", "function": {"name": COURSE}}
    )
    (asked,) = await stage.calls_of(run, 1)
    await stage.answer(asked, "Klausur am 12.03.2025")
    await stage.until_status(run, "completed")
    first, second = await stage.model.bodies()
    assert first["tool_choice"] == {"type": "function", "function": {"name": COURSE}}
    assert "tool_choice" not in second


@pytest.mark.parametrize(
    "reply",
    [
        {"steps": [call("a function")]},
        {"steps": [call("")]},
        {"steps": [call("not_offered")]},
        {"steps": [call("x" * 65)]},
        {"steps": ["no call at all"], "finish_reason": "tool_calls"},
    ],
    ids=["malformed", "empty", "unknown", "long", "missing"],
)
async def test_a_call_that_nobody_could_answer_is_asked_for_again(stage: Any, reply: dict[str, Any]) -> None:
    await with_moodle(stage)
    await stage.model.script(reply)
    run = await stage.start_run(functions=["weather"])
    await stage.until_status(run, "completed")
    assert len(await stage.model.requests()) == 2


async def test_a_model_that_keeps_calling_what_is_not_there_fails_the_run(stage: Any) -> None:
    await with_moodle(stage)
    await stage.model.script({"steps": [call(COURSE)], "times": None})
    run = await stage.start_run()
    ended = await stage.until_status(run, "failed")
    assert ended.last_error["code"] == "server_error"
    assert "a function that the run does not have" in ended.last_error["message"]
    assert len(await stage.model.requests()) == 3
    assert stage.calls == []


async def test_calls_without_arguments_get_an_empty_object(stage: Any) -> None:
    await with_moodle(stage)
    await stage.model.script({"steps": [call("weather", "")]})
    run = await stage.start_run(functions=["weather"])
    waiting = await stage.until_status(run, "requires_action")
    assert waiting.required_calls[0].arguments == "{}"


async def test_calls_of_a_reply_that_was_cut_short_are_not_made(stage: Any) -> None:
    await with_moodle(stage)
    await stage.model.script({"steps": ["I will", call(COURSE, '{"cour')], "finish_reason": "length"})
    run = await stage.start_run(functions=[COURSE])
    await stage.until_status(run, "incomplete")
    assert await stage.texts(run) == ["I will"]
    assert stage.calls == []


async def test_tokens_that_a_tool_round_used_up_end_the_run(stage: Any) -> None:
    await with_moodle(stage)
    usage = {"prompt_tokens": 20, "completion_tokens": 300, "total_tokens": 320}
    await stage.model.script({"steps": [call(COURSE)], "usage": usage})
    run = await stage.start_run(functions=[COURSE], max_completion_tokens=300)
    (asked,) = await stage.calls_of(run, 1)
    await stage.answer(asked, "dates")
    ended = await stage.until_status(run, "incomplete")
    assert ended.incomplete_details == {"reason": "max_completion_tokens"}
    assert ended.usage.completion_tokens == 300
    assert len(await stage.model.requests()) == 1
    assert await stage.texts(run) == [], "nothing was said, so there is no message"


async def test_runs_wait_for_a_pinned_service_that_has_not_announced(stage: Any) -> None:
    service = await stage.orchestrator(tool_services="moodle, wiki")
    await stage.model.script({"steps": [call(COURSE)], "times": None})
    run = await stage.start_run(functions=[COURSE])
    assert service.checks()["tool_services"]() == "moodle has not announced; wiki has not announced"
    await stage.announce("wiki", 30.0, "search")
    await stage.announce("moodle")
    await stage.calls_of(run, 1)
    assert "requires_action" not in stage.statuses(run)
    assert service.checks()["tool_services"]() is None


async def test_runs_start_without_a_service_that_stays_away_too_long(stage: Any) -> None:
    service = await stage.orchestrator(tool_services="moodle", tool_service_wait=0.05)
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    assert service.checks()["tool_services"]() == "moodle has not announced"


async def test_many_tool_rounds_at_once(stage: Any) -> None:
    await with_moodle(stage)
    runs = [await stage.start_run(f"termine in kurs {51000 + number}", functions=[COURSE]) for number in range(20)]

    async def serve(run: Any) -> None:
        (asked,) = await stage.calls_of(run, 1)
        await asyncio.gather(*(stage.answer(asked, "Klausur am 12.03.2025") for _ in range(3)))
        await stage.until_status(run, "completed")
        assert len(await stage.texts(run)) == 1

    await asyncio.gather(*map(serve, runs))
    assert len(await stage.model.requests()) == 40
