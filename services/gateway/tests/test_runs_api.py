"""Runs and steps over HTTP, with the engine's own worker on the other side."""

from dataclasses import replace
from typing import Any

import pytest
from engine_world import answer, call, new_id
from run_engine.domain.objects import Usage

FILE_SEARCH_RESULTS = "step_details.tool_calls[*].file_search.results[*].content"


async def park(caller: Any, run: Any, *calls: Any) -> None:
    claimed = await caller.worker.driving.claim(caller.tenant, run["id"])
    await caller.worker.driving.park(claimed, new_id("step"), calls, Usage(prompt_tokens=5, completion_tokens=2))


def path_of(run: Any) -> str:
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


async def test_the_least_that_can_be_given_gets_all_defaults(caller: Any) -> None:
    assistant_id = await caller.assistant(instructions="Be brief.", temperature=0.5)
    thread_id = await caller.thread("hello")
    run = await caller.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    assert run == {
        "id": run["id"],
        "object": "thread.run",
        "created_at": run["created_at"],
        "thread_id": thread_id,
        "assistant_id": assistant_id,
        "status": "queued",
        "required_action": None,
        "last_error": None,
        "expires_at": run["created_at"] + 600,
        "started_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "incomplete_details": None,
        "model": "demo",
        "instructions": "Be brief.",
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "usage": None,
        "temperature": 0.5,
        "top_p": 1.0,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "response_format": "auto",
        "reasoning_effort": None,
    }


async def test_everything_that_can_be_given_comes_back(caller: Any) -> None:
    assistant_id = await caller.assistant(instructions="Be brief.", tools=[{"type": "code_interpreter"}])
    thread_id = await caller.thread("hello")
    fields = {
        "model": "other",
        "instructions": "Be long.",
        "tools": [],
        "metadata": {"a": "b"},
        "temperature": 2,
        "top_p": 0.0,
        "max_prompt_tokens": 256,
        "max_completion_tokens": 1000,
        "truncation_strategy": {"type": "last_messages", "last_messages": 10},
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "high",
    }
    more = {
        "additional_instructions": "Be kind.",
        "additional_messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}],
        "stream": False,
    }
    run = await caller.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id, **fields, **more})
    assert run == {**run, **fields, "instructions": "Be long.\n\nBe kind."}
    messages = (await caller.get(f"/threads/{thread_id}/messages"))["data"]
    assert [each["content"][0]["text"]["value"] for each in messages] == ["b", "a", "hello"]


async def test_null_means_inherit(caller: Any) -> None:
    tools = [{"type": "code_interpreter"}]
    assistant_id = await caller.assistant(instructions="Be brief.", tools=tools, temperature=0.5, top_p=0.5)
    nulls = dict.fromkeys(
        [
            "model", "instructions", "additional_instructions", "additional_messages", "tools", "metadata",
            "temperature", "top_p", "stream", "max_prompt_tokens", "max_completion_tokens", "truncation_strategy",
            "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort",
        ]
    )  # fmt: skip
    run = await caller.post(f"/threads/{await caller.thread()}/runs", {"assistant_id": assistant_id, **nulls})
    assert run["instructions"] == "Be brief."
    assert (run["model"], run["tools"], run["temperature"], run["top_p"]) == ("demo", tools, 0.5, 0.5)


async def test_thread_and_run_in_one_request(caller: Any) -> None:
    assistant_id = await caller.assistant()
    run = await caller.post(
        "/threads/runs",
        {
            "assistant_id": assistant_id,
            "thread": {"messages": [{"role": "user", "content": "hello"}], "metadata": {"of": "thread"}},
            "metadata": {"of": "run"},
            "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}},
        },
    )
    assert run["metadata"] == {"of": "run"}
    assert run["tool_resources"] == {"code_interpreter": {"file_ids": ["file-1"]}}
    assert (await caller.get(f"/threads/{run['thread_id']}"))["metadata"] == {"of": "thread"}
    assert await caller.get(path_of(run)) == run
    alone = await caller.post("/threads/runs", {"assistant_id": assistant_id})
    assert (await caller.get(f"/threads/{alone['thread_id']}/messages"))["data"] == []


async def test_a_run_to_its_end(caller: Any) -> None:
    run = await caller.run()
    claimed = await caller.worker.driving.claim(caller.tenant, run["id"])
    driven = await caller.get(path_of(run))
    assert (driven["status"], driven["usage"]) == ("in_progress", None)
    assert driven["started_at"] >= run["created_at"]
    await caller.worker.driving.finish(claimed, answer("done"))
    ended = await caller.get(path_of(run))
    assert ended["status"] == "completed"
    assert ended["completed_at"] is not None
    assert ended["expires_at"] is None
    assert ended["usage"] == {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}

    message = (await caller.get(f"/threads/{run['thread_id']}/messages", limit=1))["data"][0]
    steps = await caller.get(f"{path_of(run)}/steps", **{"include[]": FILE_SEARCH_RESULTS})
    step = steps["data"][0]
    assert step == {
        "id": step["id"],
        "object": "thread.run.step",
        "created_at": step["created_at"],
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "run_id": run["id"],
        "type": "message_creation",
        "status": "completed",
        "step_details": {"type": "message_creation", "message_creation": {"message_id": message["id"]}},
        "last_error": None,
        "expired_at": None,
        "expires_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": step["completed_at"],
        "metadata": {},
        "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
    }
    assert await caller.get(f"{path_of(run)}/steps/{step['id']}") == step
    error = await caller.refused("POST", f"{path_of(run)}/cancel")
    assert error["message"] == "Cannot cancel run with status 'completed'."


async def test_only_an_active_run_is_worth_polling(caller: Any) -> None:
    run = await caller.run()

    async def hint() -> str | None:
        response = await caller.http.get(path_of(run))
        return response.headers.get("openai-poll-after-ms")

    assert await hint() == "100"
    await park(caller, run, call())
    assert await hint() is None, "the poller stops here"
    open_call = (await caller.get(path_of(run)))["required_action"]["submit_tool_outputs"]["tool_calls"][0]
    await caller.post(
        f"{path_of(run)}/submit_tool_outputs", {"tool_outputs": [{"tool_call_id": open_call["id"], "output": "x"}]}
    )
    assert await hint() == "100"
    await caller.post(f"{path_of(run)}/cancel")
    assert await hint() is None


async def test_the_client_answers_its_calls(caller: Any) -> None:
    run = await caller.run()
    first, second, server = call(), call(), call("moodle")
    await park(caller, run, first, second, server)
    waiting = await caller.get(path_of(run))
    assert waiting["status"] == "requires_action"
    assert waiting["required_action"] == {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [
                {"id": each.id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
                for each in (first, second)
            ]
        },
    }
    path = f"{path_of(run)}/submit_tool_outputs"
    before = await caller.rows()
    error = await caller.refused("POST", path, json={"tool_outputs": [{"tool_call_id": first.id, "output": "1"}]})
    assert error["message"] == f"Expected tool outputs for call_ids ['{first.id}', '{second.id}'], got ['{first.id}']"
    twice = [{"tool_call_id": each.id, "output": "1"} for each in (first, first, second)]
    await caller.refused("POST", path, json={"tool_outputs": twice})
    await caller.refused("POST", path, json={"tool_outputs": []})
    foreign = [{"tool_call_id": each.id, "output": "1"} for each in (first, second, server)]
    await caller.refused("POST", path, json={"tool_outputs": foreign})
    assert await caller.rows() == before

    outputs = [{"tool_call_id": first.id, "output": "1"}, {"tool_call_id": second.id}]
    answered = await caller.post(path, {"tool_outputs": outputs})
    assert (answered["status"], answered["required_action"]) == ("in_progress", None), "the service has not answered"
    error = await caller.refused("POST", path, json={"tool_outputs": outputs})
    assert error["message"] == 'Runs in status "in_progress" do not accept tool outputs.'
    assert await caller.worker.answers.complete(caller.tenant, run["id"], server.id, "3")
    assert (await caller.get(path_of(run)))["status"] == "queued"

    step = (await caller.get(f"{path_of(run)}/steps"))["data"][0]
    assert (step["type"], step["status"]) == ("tool_calls", "completed")
    assert step["step_details"]["tool_calls"] == [
        {"id": each.id, "type": "function", "function": {"name": "f", "arguments": "{}", "output": output}}
        for each, output in ((first, "1"), (second, ""), (server, "3"))
    ]


async def test_a_run_that_waits_for_services_is_in_progress(caller: Any) -> None:
    run = await caller.run()
    await park(caller, run, call("moodle"))
    shown = await caller.get(path_of(run))
    assert (shown["status"], shown["required_action"]) == ("in_progress", None)
    assert (await caller.get(f"/threads/{run['thread_id']}/runs"))["data"][0]["status"] == "in_progress"
    step = (await caller.get(f"{path_of(run)}/steps"))["data"][0]
    assert (step["status"], step["usage"]) == ("in_progress", None)
    error = await caller.refused("POST", f"{path_of(run)}/submit_tool_outputs", json={"tool_outputs": []})
    assert error["message"] == 'Runs in status "in_progress" do not accept tool outputs.'
    assert (await caller.post(f"{path_of(run)}/cancel"))["status"] == "cancelled"


async def test_cancel(caller: Any) -> None:
    queued = await caller.run()
    cancelled = await caller.post(f"{path_of(queued)}/cancel")
    assert cancelled["status"] == "cancelled"
    assert cancelled["cancelled_at"] is not None
    driven = await caller.run()
    claimed = await caller.worker.driving.claim(caller.tenant, driven["id"])
    response = await caller.http.post(f"{path_of(driven)}/cancel")  # as the SDKs do: no body at all
    assert response.json()["status"] == "cancelling"
    error = await caller.refused("POST", f"{path_of(driven)}/cancel")
    assert error["message"] == "Cannot cancel run with status 'cancelling'."
    await caller.worker.driving.obey_cancel(claimed)
    assert (await caller.get(path_of(driven)))["status"] == "cancelled"


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded", "invalid_prompt"])
async def test_a_failed_run_says_why(caller: Any, code: str) -> None:
    run = await caller.run()
    claimed = await caller.worker.driving.claim(caller.tenant, run["id"])
    await caller.worker.driving.fail(claimed, code, "It did not work.")
    failed = await caller.get(path_of(run))
    assert (failed["status"], failed["last_error"]) == ("failed", {"code": code, "message": "It did not work."})
    assert failed["failed_at"] is not None


@pytest.mark.parametrize("reason", ["max_completion_tokens", "content_filter"])
async def test_an_answer_cut_short(caller: Any, reason: str) -> None:
    run = await caller.run()
    claimed = await caller.worker.driving.claim(caller.tenant, run["id"])
    await caller.worker.driving.finish(claimed, replace(answer("cut"), incomplete_reason=reason))
    shown = await caller.get(path_of(run))
    assert shown["status"] == "incomplete"
    assert shown["incomplete_details"] == ({"reason": reason} if reason.startswith("max") else None)
    message = (await caller.get(f"/threads/{run['thread_id']}/messages", limit=1))["data"][0]
    expected = "max_tokens" if reason.startswith("max") else "content_filter"
    assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": expected})


async def test_metadata_of_a_run_can_be_changed(caller: Any) -> None:
    run = await caller.run(metadata={"a": "b"})
    assert (await caller.post(path_of(run), {}))["metadata"] == {"a": "b"}
    assert (await caller.post(path_of(run), {"metadata": {"c": "d"}}))["metadata"] == {"a": "b", "c": "d"}
    assert (await caller.post(path_of(run), {"metadata": {"a": ""}}))["metadata"] == {"c": "d"}
    assert (await caller.post(path_of(run), {"metadata": None}))["metadata"] == {}


async def test_the_assistant_may_go_and_the_run_stays(caller: Any) -> None:
    run = await caller.run()
    await caller.delete(f"/assistants/{run['assistant_id']}")
    assert await caller.get(path_of(run)) == run
    error = await caller.refused(
        "POST", f"/threads/{await caller.thread()}/runs", 404, json={"assistant_id": run["assistant_id"]}
    )
    assert error["message"] == f"No assistant found with id '{run['assistant_id']}'."


async def test_runs_and_steps_are_pages(caller: Any) -> None:
    assistant_id, thread_id = await caller.assistant(), await caller.thread()
    ids = []
    for _ in range(3):
        run = await caller.post(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
        await caller.post(f"{path_of(run)}/cancel")
        ids.append(run["id"])
    page = await caller.get(f"/threads/{thread_id}/runs", limit=2)
    assert ([each["id"] for each in page["data"]], page["has_more"]) == ([ids[2], ids[1]], True)
    page = await caller.get(f"/threads/{thread_id}/runs", order="asc", after=ids[0])
    assert ([each["id"] for each in page["data"]], page["has_more"]) == ([ids[1], ids[2]], False)
    assert (await caller.get(f"/threads/{thread_id}/runs/{ids[0]}/steps"))["data"] == []
    error = await caller.refused("GET", f"/threads/{thread_id}/runs/{ids[0]}/steps", 404, params={"after": "step_x"})
    assert error["message"] == "No run step found with id 'step_x'."
    error = await caller.refused("GET", f"/threads/{thread_id}/runs", 404, params={"before": "run_x"})
    assert error["message"] == "No run found with id 'run_x'."
