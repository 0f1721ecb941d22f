"""`/entities`: the calls that the model makes, as actions: found, listed, answered, given up."""

import re
from datetime import datetime
from typing import Any

import pytest
from engine_world import new_id
from entities_seed import ID
from run_engine.domain.drafts import NewToolCall
from run_engine.domain.objects import Run


def called(name: str = "get_flight_times", arguments: str = '{"departure":"LAX"}', service: str | None = None) -> Any:
    return NewToolCall(id=new_id("tool_call"), name=name, arguments=arguments, service=service, timeout=30.0)


async def outputs(entities: Any, run: Run) -> list[str | None]:
    return [each.output for each in await entities.worker.runs.tool_calls(entities.tenant, run.id)]


async def test_an_action_from_beginning_to_end(entities: Any) -> None:
    shown, run = await entities.parked(called())
    body = {
        "id": "act_ignored",
        "tool_name": "get_flight_times",
        "run_id": shown["id"],
        "function_args": {"departure": "LAX"},
        "expires_at": None,
        "status": "pending",
    }
    found = await entities.post("/actions", body)
    assert re.fullmatch(ID, found["id"])
    assert datetime.fromisoformat(found["triggered_at"]).tzinfo is not None
    assert datetime.fromisoformat(found["expires_at"]) > datetime.fromisoformat(found["triggered_at"])
    assert found == {
        "id": found["id"],
        "run_id": shown["id"],
        "tool_id": None,
        "tool_name": "get_flight_times",
        "triggered_at": found["triggered_at"],
        "expires_at": found["expires_at"],
        "is_processed": False,
        "processed_at": None,
        "status": "pending",
        "function_args": {"departure": "LAX"},
        "result": None,
    }
    assert await entities.get(f"/actions/{found['id']}") == found
    assert await entities.get(f"/runs/{shown['id']}/actions/status") == [found]
    assert await entities.get(f"/runs/{shown['id']}/actions/status", status="completed") == []

    answered = await entities.put(f"/actions/{found['id']}", {"status": "completed", "result": {"flight": "at 9"}})
    assert (answered["status"], answered["is_processed"], answered["result"]) == ("completed", True, {"flight": "at 9"})
    assert datetime.fromisoformat(answered["processed_at"]) >= datetime.fromisoformat(answered["triggered_at"])
    assert await entities.get(f"/runs/{shown['id']}/actions/status", status="completed") == [answered]
    assert (await entities.get(f"/runs/{shown['id']}"))["status"] == "queued"
    said = (await entities.get(f"/threads/{shown['thread_id']}/messages"))[-1]
    assert (said["role"], said["content"], said["run_id"]) == ("tool", '{"flight":"at 9"}', shown["id"])

    # The first answer counts, and is what every later one is told.
    assert await entities.put(f"/actions/{found['id']}", {"status": "failed", "result": None}) == answered
    await entities.delete(f"/actions/{found['id']}")
    assert await entities.get(f"/actions/{found['id']}") == answered
    await entities.finished(run)
    late = await entities.put(f"/actions/{found['id']}", {"status": "completed", "result": {}})
    assert late == {**answered, "expires_at": None}


async def test_an_action_is_found_by_tool_and_arguments(entities: Any) -> None:
    tool = await entities.post("/tools", {"function": {"name": "get_flight_times"}})
    calls = [called(), called(arguments='{"departure": "JFK"}'), called("other", "{}")]
    shown, run = await entities.parked(*calls)
    await entities.post(f"/assistants/{shown['assistant_id']}/tools/{tool['id']}")

    async def find(**body: Any) -> Any:
        return await entities.post("/actions", {"run_id": shown["id"], **body})

    first = await find(tool_name="get_flight_times", function_args={})
    assert (first["function_args"], first["tool_id"]) == ({"departure": "LAX"}, tool["id"])
    assert await find(tool_id=tool["id"]) == first
    second = await find(tool_name="get_flight_times", function_args={"departure": "JFK"})
    assert second["function_args"] == {"departure": "JFK"}
    other = await find(tool_name="other", function_args=None)
    assert (other["function_args"], other["tool_id"]) == ({}, None)
    assert await entities.get(f"/runs/{shown['id']}/actions/status") == [first, second, other]

    # One after the other is answered; the run goes on after the last.
    for each in (first, second):
        await entities.put(f"/actions/{each['id']}", {"status": "completed", "result": "text"})
        assert (await entities.get(f"/runs/{shown['id']}"))["status"] == "action_required"
    assert (await entities.get(f"/actions/{first['id']}"))["result"] == {"result": "text"}
    await entities.put(f"/actions/{other['id']}", {"status": "completed"})
    assert (await entities.get(f"/actions/{other['id']}"))["result"] is None
    assert await outputs(entities, run) == ["text", "text", ""]
    assert (await entities.get(f"/runs/{shown['id']}"))["status"] == "queued"


@pytest.mark.parametrize(
    "body",
    [
        {"tool_name": "get_weather"},
        {"tool_name": "get_flight_times", "function_args": {"departure": "JFK"}},
        {"tool_name": "get_moodle_course_content"},
    ],
    ids=["another function", "other arguments", "a service's"],
)
async def test_an_action_that_the_model_has_not_asked_for(entities: Any, body: dict[str, Any]) -> None:
    shown, run = await entities.parked(called(), called("get_moodle_course_content", service="moodle"))
    detail = await entities.refused("POST", "/actions", 404, json={"run_id": shown["id"], **body})
    assert detail == "Action not found: the run waits for no such call"
    await entities.worker.runs.cancel(entities.tenant, run.thread_id, run.id)
    body = {"run_id": shown["id"], "tool_name": "get_flight_times"}
    assert (await entities.refused("POST", "/actions", 404, json=body)).startswith("Action not found")


@pytest.mark.parametrize(
    ("update", "output"),
    [
        ({"status": "failed"}, '{"error":{"code":"action_failed","message":"The action is failed."}}'),
        ({"status": "failed", "result": {"error": "Flight not found"}}, '{"error":"Flight not found"}'),
        ({"status": "failed", "result": "no"}, '{"error":{"code":"action_failed","message":"no"}}'),
        ({"status": "cancelled"}, '{"error":{"code":"action_cancelled","message":"The action is cancelled."}}'),
        ({"status": "expired", "result": {"a": 1}}, '{"error":{"code":"action_expired","message":"{\\"a\\":1}"}}'),
    ],
)
async def test_what_the_model_is_told_of_an_action_that_came_to_nothing(
    entities: Any, update: dict[str, Any], output: str
) -> None:
    shown, run = await entities.parked(called())
    found = await entities.post("/actions", {"run_id": shown["id"], "tool_name": "get_flight_times"})
    answered = await entities.put(f"/actions/{found['id']}", update)
    assert (answered["status"], answered["is_processed"]) == ("failed", True)
    assert await outputs(entities, run) == [output]


@pytest.mark.parametrize("status", ["pending", "processing", "retrying", "in_progress"])
async def test_an_action_that_goes_on_stays_as_it_is(entities: Any, status: str) -> None:
    shown, run = await entities.parked(called())
    found = await entities.post("/actions", {"run_id": shown["id"], "tool_name": "get_flight_times"})
    assert await entities.put(f"/actions/{found['id']}", {"status": status, "result": {"a": 1}}) == found
    assert await outputs(entities, run) == [None]


async def test_an_action_that_is_deleted_is_answered_as_cancelled(entities: Any) -> None:
    """The call was made and cannot be unmade; without an answer the run would wait until it expires."""
    shown, run = await entities.parked(called())
    found = await entities.post("/actions", {"run_id": shown["id"], "tool_name": "get_flight_times"})
    await entities.delete(f"/actions/{found['id']}")
    assert (await entities.get(f"/actions/{found['id']}"))["status"] == "failed"
    assert await outputs(entities, run) == [
        '{"error":{"code":"action_cancelled","message":"The action is cancelled."}}'
    ]


async def test_a_call_of_a_service_is_shown_and_left_to_it(entities: Any) -> None:
    shown, run = await entities.parked(called(service="moodle"))
    (found,) = await entities.get(f"/runs/{shown['id']}/actions/status", status="processing")
    assert await entities.get(f"/runs/{shown['id']}/actions/status") == []
    detail = "The service 'moodle' answers this action"
    body = {"status": "completed", "result": {}}
    assert await entities.refused("PUT", f"/actions/{found['id']}", 409, json=body) == detail
    assert await entities.refused("DELETE", f"/actions/{found['id']}", 409) == detail
    assert await outputs(entities, run) == [None]


async def test_nobody_waits_for_actions_of_an_ended_run(entities: Any) -> None:
    shown, _ = await entities.parked(called())
    found = await entities.post("/actions", {"run_id": shown["id"], "tool_name": "get_flight_times"})
    await entities.post(f"/runs/{shown['id']}/cancel")
    (late,) = await entities.get(f"/runs/{shown['id']}/actions/status", status="cancelled")
    assert late["id"] == found["id"]
    body = {"status": "completed", "result": {}}
    detail = await entities.refused("PUT", f"/actions/{found['id']}", 409, json=body)
    assert detail == "The run waits for no action any more: it is cancelled"
    await entities.delete(f"/actions/{found['id']}")


async def test_arguments_and_outputs_that_are_no_objects(entities: Any) -> None:
    """Models and the clients of other dialects write what they like, however deep."""
    deep = "[" * 300 + "]" * 300
    shown, run = await entities.parked(*(called(arguments=each) for each in ("not json", "[1]", deep)))
    found = await entities.get(f"/runs/{shown['id']}/actions/status")
    assert [each["function_args"] for each in found] == [{}, {}, {}]
    calls = await entities.worker.runs.tool_calls(entities.tenant, run.id)
    given = zip((each.id for each in calls), ("plain", "[1]", deep), strict=True)
    await entities.worker.runs.answer(entities.tenant, run.thread_id, run.id, list(given))
    found = await entities.get(f"/runs/{shown['id']}/actions/status", status="completed")
    assert [each["result"] for each in found] == [{"result": "plain"}, {"result": [1]}, {"result": deep}]


async def test_an_assistant_that_is_gone_has_no_tools(entities: Any) -> None:
    shown, run = await entities.parked(called())
    await entities.worker.assistants.delete(entities.tenant, run.assistant_id)
    (found,) = await entities.get(f"/runs/{shown['id']}/actions/status")
    assert (found["tool_id"], found["tool_name"]) == (None, "get_flight_times")


async def test_references_to_nothing(entities: Any) -> None:
    nothing = "action_" + "0" * 22
    assert await entities.refused("GET", f"/actions/{nothing}", 404) == "Action not found"
    assert await entities.refused("DELETE", f"/actions/{nothing}", 404) == "Action not found"
    body: dict[str, Any] = {"status": "completed"}
    assert await entities.refused("PUT", f"/actions/{nothing}", 404, json=body) == "Action not found"
    body = {"run_id": "run_" + "0" * 22, "tool_name": "f"}
    assert await entities.refused("POST", "/actions", 404, json=body) == "Run not found"
    shown, _ = await entities.parked(called())
    body = {"run_id": shown["id"], "tool_id": "tool_" + "0" * 22}
    assert await entities.refused("POST", "/actions", 404, json=body) == "Tool not found"
