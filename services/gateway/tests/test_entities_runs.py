"""`/entities`: runs, how they stand, and the interrupt button."""

import asyncio
import re
import time
from typing import Any

import pytest
from engine_world import answer, call, new_id, text
from entities_seed import ID
from run_engine.domain.drafts import NewAssistant, NewRun, NewThread
from run_engine.domain.status import RunStatus
from run_engine.store.driving import Said


def whole_run(assistant_id: str, thread_id: str, **fields: Any) -> dict[str, Any]:
    """What the original's client library sends to start a run: all fields, most of which say nothing."""
    return {
        "id": "run_ignoredIgnoredIgnored0",
        "assistant_id": assistant_id,
        "thread_id": thread_id,
        "instructions": "",
        "meta_data": {},
        "cancelled_at": None,
        "completed_at": None,
        "created_at": int(time.time()),
        "expires_at": int(time.time()) + 3600,
        "failed_at": None,
        "incomplete_details": None,
        "last_error": None,
        "max_completion_tokens": 1000,
        "max_prompt_tokens": 500,
        "model": "llama3.1",
        "object": "run",
        "parallel_tool_calls": False,
        "required_action": None,
        "response_format": "text",
        "started_at": None,
        "status": "pending",
        "tool_choice": "none",
        "tools": [],
        "truncation_strategy": {},
        "usage": None,
        "temperature": 0.7,
        "top_p": 0.9,
        "tool_resources": {},
    } | fields


async def test_a_run_from_beginning_to_end(entities: Any) -> None:
    user = await entities.user()
    thread = await entities.thread(user)
    assistant = await entities.assistant(instructions="Be brief.", temperature=0.2)
    await entities.say(thread, user, "hello")
    body = whole_run(assistant, thread, meta_data={"n": 1})
    started = await entities.post("/runs", body)
    assert set(started) == set(body)
    assert re.fullmatch(ID, started["id"])
    assert started["id"] != body["id"]
    # What the client fills in without meaning it is not what the run is made of.
    assert (started["model"], started["instructions"], started["temperature"]) == ("demo", "Be brief.", 0.2)
    assert (started["tool_choice"], started["response_format"], started["max_prompt_tokens"]) == ("auto", "auto", None)
    assert (started["status"], started["object"], started["meta_data"]) == ("queued", "run", {"n": 1})
    assert (started["assistant_id"], started["thread_id"]) == (assistant, thread)
    assert started["expires_at"] > started["created_at"]

    run = await entities.stored(started)
    claimed = await entities.claimed(run)
    assert (await entities.get(f"/runs/{started['id']}"))["status"] == "in_progress"
    await entities.worker.driving.finish(claimed, answer("Hello!"))
    ended = await entities.get(f"/runs/{started['id']}")
    assert (ended["status"], ended["usage"]) == (
        "completed",
        {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
    )
    assert isinstance(ended["completed_at"], int)
    assert isinstance(ended["expires_at"], int)


async def test_instructions_of_the_run_take_the_place_of_the_assistants(entities: Any) -> None:
    shown, run = await entities.started(instructions="Answer in German.")
    assert shown["instructions"] == run.instructions == "Answer in German."


async def test_the_words_for_how_a_run_stands(entities: Any) -> None:
    shown, run = await entities.parked(call())
    waiting = await entities.get(f"/runs/{shown['id']}")
    assert (waiting["status"], waiting["required_action"]) == ("action_required", "submit_tool_outputs")
    shown, run = await entities.parked(call("moodle"))
    assert (await entities.get(f"/runs/{shown['id']}"))["status"] == "in_progress"

    shown, run = await entities.started()
    ending = answer("cut off")
    cut = type(ending)(
        step_id=ending.step_id,
        message_id=ending.message_id,
        content=ending.content,
        usage=ending.usage,
        incomplete_reason="max_completion_tokens",
    )
    await entities.finished(run, cut)
    ended = await entities.get(f"/runs/{shown['id']}")
    assert (ended["status"], ended["incomplete_details"]) == ("completed", {"reason": "max_completion_tokens"})
    _, said = await entities.get(f"/threads/{shown['thread_id']}/messages")
    assert (said["status"], said["incomplete_at"], said["incomplete_details"]) == (None, None, None)
    assert isinstance(said["completed_at"], int)

    shown, run = await entities.started()
    await entities.worker.driving.fail(await entities.claimed(run), "server_error", "The model is away.")
    failed = await entities.get(f"/runs/{shown['id']}")
    assert (failed["status"], failed["last_error"]) == ("failed", "server_error: The model is away.")
    assert isinstance(failed["failed_at"], int)


async def test_choices_that_are_objects_are_shown_as_words(entities: Any) -> None:
    choice = {"type": "function", "function": {"name": "f"}}
    assistant_id, thread_id = new_id("assistant"), new_id("thread")
    await entities.worker.assistants.create(entities.tenant, NewAssistant(id=assistant_id, model="demo"))
    run = await entities.worker.runs.start_on_new_thread(
        entities.tenant,
        NewThread(id=thread_id),
        NewRun(
            id=new_id("run"),
            assistant_id=assistant_id,
            tool_choice=choice,
            response_format={"type": "json_object"},
        ),
    )
    shown = await entities.get(f"/runs/{run.id}")
    assert (shown["tool_choice"], shown["response_format"]) == ("function", "json_object")


async def test_a_queued_run_is_cancelled_at_once_and_once(entities: Any) -> None:
    shown, _ = await entities.started()
    cancelled = await entities.post(f"/runs/{shown['id']}/cancel")
    assert cancelled["status"] == "cancelled"
    assert isinstance(cancelled["cancelled_at"], int)
    detail = await entities.refused("POST", f"/runs/{shown['id']}/cancel", 400)
    assert detail == "Cannot cancel a completed or already cancelled run"
    shown, run = await entities.started()
    await entities.worker.driving.fail(await entities.claimed(run), "server_error", "away")
    assert await entities.refused("POST", f"/runs/{shown['id']}/cancel", 400) == "Cannot cancel a run that is failed"


@pytest.mark.parametrize("way", ["cancel", "status"])
async def test_the_interrupt_button_leaves_what_was_said_as_an_ordinary_answer(entities: Any, way: str) -> None:
    shown, run = await entities.started()
    claimed = await entities.claimed(run)
    if way == "cancel":
        pressed = asyncio.create_task(entities.post(f"/runs/{shown['id']}/cancel"))
    else:
        pressed = asyncio.create_task(entities.put(f"/runs/{shown['id']}/status", {"status": "cancelled"}))
    async with asyncio.timeout(10):
        while (await entities.stored(shown)).status is not RunStatus.CANCELLING:
            await asyncio.sleep(0.01)
    assert not pressed.done()
    said = Said(step_id=new_id("step"), message_id=new_id("message"), content=text("Time travel, a staple"))
    await entities.worker.driving.obey_cancel(claimed, None, said)
    # The reply comes when the thread is free, so that the next message can follow at once.
    assert (await pressed)["status"] == "cancelled"
    _, cut = await entities.get(f"/threads/{shown['thread_id']}/messages")
    assert (cut["content"], cut["role"], cut["sender_id"]) == ("Time travel, a staple", "assistant", "assistant")
    assert (cut["status"], cut["incomplete_at"], cut["incomplete_details"]) == (None, None, None)
    assert isinstance(cut["completed_at"], int)
    user = await entities.user()
    await entities.say(shown["thread_id"], user, "Excellent, that worked.")


async def test_a_worker_that_does_not_obey_is_not_waited_for(entities: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.entrypoints.http.entities.operations.runs.OBEYED_WITHIN", 0.05)
    shown, run = await entities.started()
    claimed = await entities.claimed(run)
    for _ in range(2):
        assert (await entities.post(f"/runs/{shown['id']}/cancel"))["status"] == "cancelling"
    await entities.worker.driving.obey_cancel(claimed)


@pytest.mark.parametrize("word", ["pending", "queued", "processing", "in_progress", "retrying", "action_required"])
async def test_that_a_run_goes_on_may_be_said_while_it_does(entities: Any, word: str) -> None:
    shown, run = await entities.started()
    assert (await entities.put(f"/runs/{shown['id']}/status", {"status": word}))["status"] == "queued"
    for other in ("completed", "failed", "expired"):
        detail = await entities.refused("PUT", f"/runs/{shown['id']}/status", 409, json={"status": other})
        assert detail == "The run is queued; the server alone says when that changes"
    await entities.finished(run)
    assert (await entities.put(f"/runs/{shown['id']}/status", {"status": "completed"}))["status"] == "completed"
    detail = await entities.refused("PUT", f"/runs/{shown['id']}/status", 409, json={"status": word})
    assert detail == "The run is completed; the server alone says when that changes"
    detail = await entities.refused("PUT", f"/runs/{shown['id']}/status", 400, json={"status": "cancelled"})
    assert detail == "Cannot cancel a completed or already cancelled run"


async def test_a_cancelled_run_may_be_said_to_be_that(entities: Any) -> None:
    shown, _ = await entities.started()
    for _ in range(2):
        assert (await entities.put(f"/runs/{shown['id']}/status", {"status": "cancelled"}))["status"] == "cancelled"


async def test_references_to_nothing(entities: Any) -> None:
    user = await entities.user()
    thread, assistant = await entities.thread(user), await entities.assistant()
    body = {"thread_id": "thread_" + "0" * 22, "assistant_id": assistant}
    assert await entities.refused("POST", "/runs", 404, json=body) == "Thread not found"
    body = {"thread_id": thread, "assistant_id": "asst_" + "0" * 22}
    assert await entities.refused("POST", "/runs", 404, json=body) == "Assistant not found"
    nothing = "run_" + "0" * 22
    assert await entities.refused("GET", f"/runs/{nothing}", 404) == "Run not found"
    assert await entities.refused("POST", f"/runs/{nothing}/cancel", 404) == "Run not found"
    body = {"status": "completed"}
    assert await entities.refused("PUT", f"/runs/{nothing}/status", 404, json=body) == "Run not found"
    assert await entities.refused("GET", f"/runs/{nothing}/actions/status", 404) == "Run not found"
