"""The objects in events are those that the API shows afterwards, field by field, however a run has gone."""

from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from engine_world import answer, call, new_id, text
from run_engine.domain.objects import Usage
from run_engine.store.runs import Runs
from run_engine.store.writer import Writer
from streaming_caller import Stream, Streaming

_COUNTED = Usage(prompt_tokens=4, completion_tokens=2)


async def agrees(streaming: Streaming, run: Any, *streams: Stream) -> None:
    """What streams have told of each object last is what there is of it now."""
    path = f"/threads/{run['thread_id']}"
    shown = {run["id"]: await streaming.caller.get(f"{path}/runs/{run['id']}")}
    steps = (await streaming.caller.get(f"{path}/runs/{run['id']}/steps"))["data"]
    messages = (await streaming.caller.get(f"{path}/messages"))["data"]
    shown |= {each["id"]: each for each in [*steps, *messages]}
    told: dict[str, Any] = {}
    for stream in streams:
        told |= {data["id"]: data for name, data in stream.facts.events if name not in {"done"} and "delta" not in name}
    assert told.keys() >= {run["id"], *(each["id"] for each in steps)}
    assert {id_: shown[id_] for id_ in told if id_ in shown} == {id_: told[id_] for id_ in told if id_ in shown}
    assert [id_ for id_ in told if id_ not in shown] == []


async def half_written(streaming: Streaming) -> tuple[Stream, Any, Any]:
    stream, run = await streaming.start(metadata={"who": "me"})
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "half a ")
    await stream.sees("thread.message.delta")
    return stream, run, claimed


async def hint(streaming: Streaming, run: Any) -> None:
    """Say to the slot what is committed, as a worker does."""
    stored = await Runs(streaming.caller.database, Writer("test", list)).get(
        streaming.caller.tenant, run["thread_id"], run["id"]
    )
    await streaming.send({"seq": stored.seq}, run)


async def expire(streaming: Streaming, run: Any, url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE runs SET expires_at = now() - interval '1 s' WHERE id = $1", run["id"])
    finally:
        await connection.close()
    await streaming.caller.worker.sweeps.expire_runs()


async def ends(streaming: Streaming, run: Any, stream: Stream) -> None:
    """The stream ends, agrees, and so does one that is told all of it afterwards."""
    await hint(streaming, run)
    await stream.end()
    await agrees(streaming, run, stream)
    again = streaming.events(run)
    await again.end()
    await agrees(streaming, run, again)


async def test_metadata_that_changes_while_a_run_goes_on(streaming: Streaming) -> None:
    stream, run = await streaming.start(metadata={"who": "me"})
    claimed = await streaming.claim(run)
    await stream.sees("thread.run.in_progress")
    await streaming.caller.post(f"/threads/{run['thread_id']}/runs/{run['id']}", {"metadata": {"who": "you"}})
    await streaming.driving.finish(claimed, answer("all at once"))
    await ends(streaming, run, stream)
    assert (await stream.sees("thread.run.completed"))["metadata"] == {"who": "you"}


async def test_failed_in_the_middle(streaming: Streaming) -> None:
    stream, run, claimed = await half_written(streaming)
    await streaming.driving.fail(claimed, "server_error", "No.", text("half a sentence"))
    await ends(streaming, run, stream)
    assert stream.text == "half a sentence"


async def test_cancelled_in_the_middle(streaming: Streaming) -> None:
    stream, run, claimed = await half_written(streaming)
    await streaming.caller.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    await streaming.driving.obey_cancel(claimed, text("half a sent"))
    await ends(streaming, run, stream)


@pytest.mark.parametrize("reason", ["max_completion_tokens", "content_filter"])
async def test_cut_short_in_the_middle(streaming: Streaming, reason: str) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.claim(run)
    whole = answer("half a sent")
    await streaming.open(claimed, whole.step_id, whole.message_id)
    await streaming.write(run, whole.step_id, 0, "half a ")
    await stream.sees("thread.message.delta")
    await streaming.driving.finish(claimed, replace(whole, incomplete_reason=reason))
    await ends(streaming, run, stream)
    assert stream.text == "half a sent"
    assert "thread.message.incomplete" in stream.facts.names


async def test_cancelled_while_queued(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    await streaming.caller.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    await ends(streaming, run, stream)
    assert stream.facts.names == ["thread.run.created", "thread.run.queued", "thread.run.cancelled", "done"]


@pytest.mark.parametrize("service", [None, "moodle"])
async def test_cancelled_while_tools_are_waited_for(streaming: Streaming, service: str | None) -> None:
    stream, run = await streaming.start()
    whole = streaming.events(run)
    await streaming.driving.park(await streaming.claim(run), new_id("step"), [call(service)], _COUNTED)
    await hint(streaming, run)
    await whole.sees("thread.run.step.delta", 2)
    await streaming.caller.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    await ends(streaming, run, whole)
    assert whole.facts.names[-3:] == ["thread.run.step.cancelled", "thread.run.cancelled", "done"]
    await stream.end()


async def test_expired_while_its_client_is_waited_for(streaming: Streaming, migrated_url: str) -> None:
    stream, run = await streaming.start()
    await streaming.driving.park(await streaming.claim(run), new_id("step"), [call()], _COUNTED)
    await hint(streaming, run)
    await stream.end()
    whole = streaming.events(run)
    await whole.sees("thread.run.requires_action")
    await expire(streaming, run, migrated_url)
    await ends(streaming, run, whole)
    assert whole.facts.names[-3:] == ["thread.run.step.expired", "thread.run.expired", "done"]


async def test_expired_in_the_middle(streaming: Streaming, migrated_url: str) -> None:
    stream, run, _ = await half_written(streaming)
    await expire(streaming, run, migrated_url)
    await stream.end()
    assert stream.facts.names[-4:] == [
        "thread.message.incomplete",
        "thread.run.step.expired",
        "thread.run.expired",
        "done",
    ]
    cut = await stream.sees("thread.message.incomplete")
    assert cut["content"] == text("half a "), "what this reader was told; the API has none of it"
    assert cut["incomplete_details"] == {"reason": "run_expired"}
    again = streaming.events(run, stream.ids[-4])
    assert (await again.end()) == stream.facts.names[-3:]


async def test_calls_of_a_client_and_of_services_together(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    whole = streaming.events(run)
    mine, theirs, late = call(), call("moodle"), call("moodle")
    await streaming.driving.park(await streaming.claim(run), new_id("step"), [theirs, mine, late], _COUNTED)
    await hint(streaming, run)
    assert (await stream.end())[-2:] == ["thread.run.requires_action", "done"]
    answers = streaming.caller.worker.answers
    assert await answers.complete(streaming.caller.tenant, run["id"], theirs.id, "1")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    body = {"tool_outputs": [{"tool_call_id": mine.id, "output": "2"}], "stream": True}
    more = streaming.request("POST", path, body)
    assert (await more.sees("thread.run.in_progress"))["required_action"] is None
    assert await answers.complete(streaming.caller.tenant, run["id"], late.id, "3")
    await streaming.driving.finish(await streaming.claim(run), answer("There."))
    await hint(streaming, run)
    await more.end()
    assert more.facts.names[:3] == ["thread.run.in_progress", "thread.run.step.completed", "thread.run.step.created"]
    await agrees(streaming, run, stream, more)
    await ends(streaming, run, whole)
    assert whole.facts.names == [*stream.facts.names[:-1], *more.facts.names]
