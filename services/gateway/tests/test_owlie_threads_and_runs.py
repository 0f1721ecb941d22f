"""Owlie over HTTP: chats that begin with a greeting, questions, statuses with calls, cancelling, whole answers."""

import asyncio
from typing import Any

import pytest
from engine_world import answer, call, new_id
from run_engine.domain.drafts import NewToolCall
from run_engine.domain.objects import Run, Usage
from structlog.testing import capture_logs

QUESTION = "was ist java in 3 worten"


@pytest.fixture
async def assistant(caller: Any) -> str:
    return str(await caller.assistant())


@pytest.fixture
async def thread(caller: Any, owlie: Any) -> str:
    """A token for an empty thread."""
    return str(owlie.ids.token("thread", await caller.thread()))


async def claimed(caller: Any, run_id: str) -> Run:
    run = await caller.worker.driving.claim(caller.tenant, run_id)
    assert run is not None
    return run  # type: ignore[no-any-return] # the worker is typed where it is defined


async def parked(caller: Any, run_id: str, *calls: NewToolCall) -> Run:
    run = await claimed(caller, run_id)
    await caller.worker.driving.park(run, new_id("step"), calls, Usage())
    return run


def moodle_call() -> NewToolCall:
    arguments = '{"courseid":"51589"}'
    return NewToolCall(
        id=new_id("tool_call"), name="get_moodle_course_content", arguments=arguments, service="moodle", timeout=30.0
    )


async def test_a_new_chat_begins_with_a_hidden_request_for_a_greeting(caller: Any, owlie: Any, assistant: str) -> None:
    begun = await owlie.new(owlie.ids.token("assistant", assistant))
    assert (begun["status"], begun["required_action"], begun["last_error"]) == ("queued", None, None)
    thread = begun["thread_id"]
    (hidden,) = await owlie.messages(thread)
    assert hidden["hidden"] is True
    assert (hidden["role"], hidden["content"]) == ("user", owlie.settings.owlie_greeting)
    await caller.worker.driving.finish(await claimed(caller, begun["run_id"]), answer("Hallo! Ich helfe dir."))
    greeting, _ = await owlie.messages(thread)
    assert (greeting["role"], greeting["content"], greeting["hidden"]) == ("assistant", "Hallo! Ich helfe dir.", False)
    # The same in the other dialect, with the metadata that hides it.
    stored = (await caller.get(f"/threads/{owlie.ids.id_of('thread', thread)}/messages"))["data"]
    assert [each["metadata"] for each in stored] == [{}, {"type": "hidden"}]
    assert stored[0]["id"] == greeting["id"]


async def test_a_chat_that_is_left_stays(caller: Any, owlie: Any, assistant: str, thread: str) -> None:
    token = owlie.ids.token("assistant", assistant)
    for old in (thread, "gAAAAAB-of-a-key-that-was-retired", None, ""):
        begun = await owlie.new(token, old_thread_id=old)
        assert owlie.ids.id_of("thread", begun["thread_id"]) != owlie.ids.id_of("thread", thread)
    assert await owlie.messages(thread) == []


async def test_a_question_is_a_message_and_a_run(caller: Any, owlie: Any, assistant: str, thread: str) -> None:
    asked = await owlie.ask(thread, QUESTION, owlie.ids.token("assistant", assistant))
    assert asked["status"] == "queued"
    assert asked["thread_id"] != thread, "a token is another one each time"
    assert owlie.ids.id_of("thread", asked["thread_id"]) == owlie.ids.id_of("thread", thread)
    run = await claimed(caller, asked["run_id"])
    assert (await owlie.status(thread, asked["run_id"]))["status"] == "in_progress"
    await caller.worker.driving.finish(run, answer("Objektorientiert, plattformunabhängig, weitverbreitet."))
    for path in (f"/api/runs/{thread}/{asked['run_id']}", f"/api/threads/{thread}/runs/{asked['run_id']}"):
        assert (await owlie.get(path))["status"] == "completed"
    newest, oldest = await owlie.messages(thread)
    assert (newest["role"], newest["content"]) == (
        "assistant",
        "Objektorientiert, plattformunabhängig, weitverbreitet.",
    )
    assert (oldest["role"], oldest["content"], oldest["hidden"]) == ("user", QUESTION, False)


async def test_the_older_front_end_names_no_assistant(caller: Any, owlie: Any, assistant: str, thread: str) -> None:
    refused = await owlie.refused("POST", f"/api/threads/{thread}", 422, json={"content": QUESTION})
    assert "assistant_id" in refused
    token = owlie.ids.token("assistant", assistant)
    begun = await owlie.new(token)
    await caller.worker.driving.finish(await claimed(caller, begun["run_id"]), answer())
    assert (await owlie.ask(begun["thread_id"], QUESTION))["status"] == "queued"
    changed = await owlie.post("/api/change_thread", {"thread_id": thread, "assistant_id": token})
    assert owlie.ids.id_of("thread", changed["thread_id"]) == owlie.ids.id_of("thread", thread)
    assert owlie.ids.id_of("assistant", changed["assistant_id"]) == assistant
    assert (await owlie.ask(thread, QUESTION))["status"] == "queued"


async def test_the_calls_of_services_are_seen_while_they_are_answered(
    caller: Any, owlie: Any, assistant: str, thread: str
) -> None:
    asked = await owlie.ask(thread, "termine", owlie.ids.token("assistant", assistant))
    wanted = moodle_call()
    await parked(caller, asked["run_id"], wanted)
    shown = await owlie.status(thread, asked["run_id"])
    assert shown["status"] == "requires_action"
    assert shown["required_action"] == {
        "submit_tool_outputs": {
            "tool_calls": [
                {
                    "id": wanted.id,
                    "function": {"arguments": '{"courseid":"51589"}', "name": "get_moodle_course_content"},
                    "type": "function",
                }
            ]
        },
        "type": "submit_tool_outputs",
    }
    other = await caller.get(f"/threads/{owlie.ids.id_of('thread', thread)}/runs/{asked['run_id']}")
    assert (other["status"], other["required_action"]) == ("in_progress", None), "the SDK's pollers are not stopped"
    await caller.worker.answers.complete(caller.tenant, asked["run_id"], wanted.id, "25.10.")
    again = await owlie.status(thread, asked["run_id"])
    assert (again["status"], again["required_action"]) == ("queued", None)


async def test_a_front_end_answers_calls_of_both_kinds_and_the_first_answer_counts(
    caller: Any, owlie: Any, assistant: str, thread: str
) -> None:
    asked = await owlie.ask(thread, "termine", owlie.ids.token("assistant", assistant))
    wanted, mine = moodle_call(), call()
    await parked(caller, asked["run_id"], wanted, mine)
    path = f"/api/threads/{thread}/runs/{asked['run_id']}/tool"
    refused = await owlie.refused("POST", path, 422, json=[{"tool_id": "call_of_nobody", "output": "x"}])
    assert "call_of_nobody" in refused
    first = await owlie.post(path, [{"tool_id": wanted.id, "output": "from the front end"}])
    calls = first["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [each["id"] for each in calls] == [mine.id]
    assert not await caller.worker.answers.complete(caller.tenant, asked["run_id"], wanted.id, "from the service")
    twice = [{"tool_id": wanted.id, "output": "second"}, {"tool_id": mine.id, "output": "mine"}]
    assert (await owlie.post(path, twice))["status"] == "queued"
    assert (await owlie.post(path, twice))["status"] == "queued", "a repetition changes nothing"
    found = await caller.worker.runs.tool_calls(caller.tenant, asked["run_id"])
    assert [each.output for each in found] == ["from the front end", "mine"]


async def test_stopping(caller: Any, owlie: Any, assistant: str, thread: str) -> None:
    asked = await owlie.ask(thread, QUESTION, owlie.ids.token("assistant", assistant))
    path = f"/api/threads/{thread}/runs/{asked['run_id']}/cancel"
    for _ in range(2):
        assert await owlie.post(path) == {"message": "Thread stopped successfully."}
        assert (await owlie.status(thread, asked["run_id"]))["status"] == "cancelled"


async def test_one_answer_at_a_time(owlie: Any, assistant: str, thread: str) -> None:
    token = owlie.ids.token("assistant", assistant)
    asked = await owlie.ask(thread, QUESTION, token)
    body = {"content": "again", "assistant_id": token}
    assert asked["run_id"] in await owlie.refused("POST", f"/api/threads/{thread}", 409, json=body)


async def test_waiting_for_the_answer(caller: Any, owlie: Any, assistant: str, thread: str) -> None:
    body = {"content": QUESTION, "assistant_id": owlie.ids.token("assistant", assistant)}
    waiting = asyncio.create_task(owlie.post(f"/api/threads/{thread}/send_and_wait", body))
    run = await begun_run(caller, owlie, thread)
    await caller.worker.driving.finish(await claimed(caller, run["id"]), answer("Kaffee, Insel, Sprache"))
    answered = await waiting
    assert (answered["content"], answered["role"], answered["hidden"]) == ("Kaffee, Insel, Sprache", "assistant", False)
    assert answered == (await owlie.messages(thread))[0]


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "a student's click"}])
async def test_an_answer_that_takes_too_long_goes_on(
    caller: Any, new_owlie: Any, assistant: str, key: dict[str, str]
) -> None:
    owlie = new_owlie(owlie_wait_seconds=0.2)
    thread = owlie.ids.token("thread", await caller.thread())
    body = {"content": QUESTION, "assistant_id": owlie.ids.token("assistant", assistant)}
    path = f"/api/threads/{thread}/send_and_wait"
    refused = await owlie.refused("POST", path, 504, json=body, headers=key)
    run = await begun_run(caller, owlie, thread)
    assert run["id"] in refused
    if not key:
        return
    # The same click again waits for the same answer.
    patient = new_owlie()
    again = asyncio.create_task(patient.http.post(path, json=body, headers=key))
    await caller.worker.driving.finish(await claimed(caller, run["id"]), answer("Kaffee"))
    assert (await again).json()["content"] == "Kaffee"
    assert len(await owlie.messages(thread)) == 2


async def test_an_answer_that_fails_is_told(caller: Any, owlie: Any, assistant: str, thread: str) -> None:
    body = {"content": QUESTION, "assistant_id": owlie.ids.token("assistant", assistant)}
    path = f"/api/threads/{thread}/send_and_wait"
    with capture_logs() as lines:
        waiting = asyncio.create_task(owlie.refused("POST", path, 502, json=body))
        run = await claimed(caller, (await begun_run(caller, owlie, thread))["id"])
        await caller.worker.driving.fail(run, "server_error", "The model has gone.")
        assert (await waiting).endswith("is failed. The model has gone.")
    told = [(line["action"], line["log_level"]) for line in lines if line.get("status") == 502]
    assert told == [("request", "debug"), ("request_unavailable", "warning")], "nothing is wrong with the gateway"
    shown = await owlie.status(thread, run.id)
    assert (shown["status"], shown["last_error"]["code"]) == ("failed", "server_error")


async def test_an_answer_that_needs_the_front_end_is_not_waited_for(
    caller: Any, owlie: Any, assistant: str, thread: str
) -> None:
    body = {"content": QUESTION, "assistant_id": owlie.ids.token("assistant", assistant)}
    waiting = asyncio.create_task(owlie.refused("POST", f"/api/threads/{thread}/send_and_wait", 409, json=body))
    await parked(caller, (await begun_run(caller, owlie, thread))["id"], call())
    assert "tool calls" in await waiting


async def test_idempotency_keys(caller: Any, owlie: Any, assistant: str, thread: str) -> None:
    body = {"content": QUESTION, "assistant_id": owlie.ids.token("assistant", assistant)}
    key = {"idempotency-key": "one click"}
    first, second = [await owlie.http.post(f"/api/threads/{thread}", json=body, headers=key) for _ in range(2)]
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len(await owlie.messages(thread)) == 1
    await owlie.refused("POST", f"/api/threads/{thread}", 409, json={**body, "content": "other"}, headers=key)
    await owlie.refused("POST", f"/api/threads/{thread}", 400, json=body, headers={"idempotency-key": ""})
    chats = [await owlie.http.post("/api/new", json={"assistant_id": body["assistant_id"]}, headers=key) for _ in "ab"]
    ids = {owlie.ids.id_of("thread", each.json()["thread_id"]) for each in chats}
    assert len(ids) == 2, "a key that somebody else has used must not give their chat away"


async def begun_run(caller: Any, owlie: Any, thread: str) -> Any:
    """The run of a thread, as soon as it has begun."""
    thread_id = owlie.ids.id_of("thread", thread)
    async with asyncio.timeout(10):
        while not (runs := (await caller.get(f"/threads/{thread_id}/runs"))["data"]):
            await asyncio.sleep(0.01)
    return runs[0]
