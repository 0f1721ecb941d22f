"""Streams of a caller of version 1: every object in them is one of version 1, and the order is the same."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from engine_world import answer, call, new_id
from ruby_client import VERSION_1, stream_facts
from run_engine.domain.objects import Usage
from run_engine.store.driving import Answer
from starlette.types import ASGIApp
from streaming_caller import ANSWERED, Stream, Streaming
from version_1_world import Version1

HELLO = {"messages": [{"role": "user", "content": "hello"}]}


class Streams1:
    """Streams of version 1 of one caller."""

    def __init__(self, app: ASGIApp, ruby: Version1) -> None:
        self._app = app
        self._headers = {"authorization": ruby.key, "content-type": "application/json", **VERSION_1}
        self.made: list[Stream] = []

    def __call__(self, method: str, path: str, body: Any, beginning: Any, **headers: str) -> Stream:
        given = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        stream = Stream(self._app, method, path, given, body, stream_facts(beginning))
        self.made.append(stream)
        return stream


@pytest_asyncio.fixture
async def streams(app: ASGIApp, ruby: Version1, streaming: Streaming) -> AsyncIterator[Streams1]:
    """Nothing is read of `streaming` here but how its worker tells what it writes."""
    made = Streams1(app, ruby)
    yield made
    for stream in made.made:
        stream.leave()
        await asyncio.wait_for(stream.task, 10)


async def test_a_thread_and_its_run(streams: Streams1, ruby: Version1, streaming: Streaming) -> None:
    (file,) = await ruby.files(1)
    assistant = await ruby.call("create_assistant", {"model": "demo"}, tools=[{"type": "retrieval"}], file_ids=[file])
    body = {"assistant_id": assistant["id"], "thread": HELLO, "stream": True}
    stream = streams("POST", "/threads/runs", body, "thread")
    run = await stream.sees("thread.run.queued")
    assert (run["file_ids"], run["tools"]) == ([file], [{"type": "retrieval"}])
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "Hel")
    await stream.sees("thread.message.delta")
    await streaming.finish(claimed, step_id, message_id, "Hello")
    names = await stream.end()
    assert [name for place, name in enumerate(names) if names[place - 1] != name] == ["thread.created", *ANSWERED]
    assert stream.text == "Hello"
    place = {"thread_id": run["thread_id"], "run_id": run["id"], "step_id": step_id, "message_id": message_id}
    assert await stream.sees("thread.created") == await ruby.call("get_thread", place)
    assert await stream.sees("thread.run.completed") == await ruby.call("get_run", place)
    assert await stream.sees("thread.run.step.completed") == await ruby.call("get_run_step", place)
    assert await stream.sees("thread.message.completed") == await ruby.call("get_message", place)


async def test_a_call_and_what_follows_its_output(streams: Streams1, ruby: Version1, streaming: Streaming) -> None:
    assistant = await ruby.call("create_assistant", {"model": "demo"})
    thread = await ruby.call("create_thread", {}, **HELLO)
    path = f"/threads/{thread['id']}/runs"
    stream = streams("POST", path, {"assistant_id": assistant["id"], "stream": True}, "run")
    run = await stream.sees("thread.run.queued")
    claimed, asked = await streaming.claim(run), call()
    await streaming.driving.park(claimed, new_id("step"), [asked], Usage(prompt_tokens=1, completion_tokens=1))
    await stream.end()
    waiting = await stream.sees("thread.run.requires_action")
    outputs = [{"tool_call_id": each["id"], "output": "x"} for each in calls_of(waiting)]
    path = f"{path}/{run['id']}"
    answered = streams("POST", f"{path}/submit_tool_outputs", {"tool_outputs": outputs, "stream": True}, "outputs")
    await answered.sees("thread.run.queued")
    await streaming.driving.finish(await streaming.claim(run), answer("there"))
    assert (await answered.end())[-2:] == ["thread.run.completed", "done"]
    again = streams("GET", f"{path}/events", None, None, last_event_id=f"{run['id']}:0")
    assert "thread.run.requires_action" in await again.end()


async def test_an_answer_that_was_cut_short(streams: Streams1, ruby: Version1, streaming: Streaming) -> None:
    """Version 1 knew neither incomplete runs nor refusals."""
    assistant = await ruby.call("create_assistant", {"model": "demo"})
    body = {"assistant_id": assistant["id"], "thread": HELLO, "stream": True}
    stream = streams("POST", "/threads/runs", body, "thread")
    run = await stream.sees("thread.run.queued")
    claimed, step_id, message_id = await streaming.claim(run), new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    for place, each in enumerate(("N", "o.")):
        await streaming.write(run, step_id, place, each, part="refusal")
        await stream.sees("thread.message.delta", place + 1)
    cut = Answer(
        step_id=step_id,
        message_id=message_id,
        content=[{"type": "refusal", "refusal": "No."}],
        usage=Usage(prompt_tokens=1, completion_tokens=1),
        incomplete_reason="max_completion_tokens",
    )
    await streaming.driving.finish(claimed, cut)
    await streaming.send({"seq": claimed.seq + 2}, run)
    names = await stream.end()
    assert names[-2:] == ["thread.run.completed", "done"]
    assert stream.text == "No."
    assert (await stream.sees("thread.run.completed"))["status"] == "completed"


async def test_a_repeated_request_joins_the_stream_in_its_version(
    streams: Streams1, ruby: Version1, streaming: Streaming
) -> None:
    assistant = await ruby.call("create_assistant", {"model": "demo"})
    body = {"assistant_id": assistant["id"], "thread": HELLO, "stream": True}
    key = {"idempotency_key": new_id("run")}
    first = streams("POST", "/threads/runs", body, "thread", **key)
    run = await first.sees("thread.run.queued")
    again = streams("POST", "/threads/runs", body, "thread", **key)
    assert await again.sees("thread.run.queued") == run
    await streaming.driving.finish(await streaming.claim(run), answer("there"))
    assert await first.end() == await again.end()


def calls_of(run: Any) -> Any:
    return run["required_action"]["submit_tool_outputs"]["tool_calls"]
