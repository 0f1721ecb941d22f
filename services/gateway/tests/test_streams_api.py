"""Streams over HTTP, on a real database and a slot of the in-process bus, with the engine's own worker.

Every stream is held to the field facts: payloads, ids, and the order of events.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio
from conformance.field_facts import FieldFacts
from conformance.stream_facts import StreamFacts
from engine_world import answer, call, new_id, text
from event_bus import OutgoingRecord
from event_bus.in_process import InProcessBus
from gateway.application.streams.hub import Hub
from message_contracts import Message, catalogue, codec
from run_engine.domain.objects import Run, Usage
from run_engine.store.driving import Answer, Said
from run_engine.store.streams import StoredEvent
from starlette.types import ASGIApp

_TYPE = "threadworks.run-delta.produced.v1"


class Stream:
    """One streamed request, read while it goes on."""

    def __init__(self, app: ASGIApp, method: str, path: str, headers: dict[str, str], body: Any, facts: StreamFacts):
        self._app, self._method, self._headers = app, method, headers
        self._path, _, self._query = path.partition("?")
        self._body = b"" if body is None else orjson.dumps(body)
        self._gone = asyncio.Event()
        self._news = asyncio.Condition()
        self._asked = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw = b""
        self.chunks = 0
        self.facts = facts
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        headers = [(name.lower().encode(), value.encode()) for name, value in self._headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._method,
            "scheme": "http",
            "path": f"/v1{self._path}",
            "raw_path": f"/v1{self._path}".encode(),
            "query_string": self._query.encode(),
            "headers": headers,
            "server": ("gateway", 80),
            "client": ("client", 1),
            "root_path": "",
        }
        await self._app(scope, self._receive, self._send)
        async with self._news:
            self._news.notify_all()

    async def _receive(self) -> Any:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message.get("body"):
            self.raw += message["body"]
            self.chunks += 1
            self.facts.feed(message["body"])
        async with self._news:
            self._news.notify_all()

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: seen() or self.task.done())
        assert seen(), self.raw

    async def sees(self, name: str, times: int = 1) -> Any:
        """Wait for an event; return its data."""
        await self.until(lambda: self.facts.names.count(name) >= times)
        return [data for each, data in self.facts.events if each == name][times - 1]

    async def end(self) -> list[str]:
        """Wait for the end; return the names of all events."""
        async with asyncio.timeout(10):
            await self.task
        self.facts.end()
        assert self.facts.problems == []
        return self.facts.names

    def leave(self) -> None:
        self._gone.set()

    @property
    def text(self) -> str:
        deltas = [data for name, data in self.facts.events if name == "thread.message.delta"]
        return "".join(each["delta"]["content"][0].get("text", {}).get("value", "") for each in deltas)

    @property
    def ids(self) -> list[str]:
        return [line[4:] for line in self.raw.decode().split("\n") if line.startswith("id: ")]


class Streaming:
    """A caller that streams, and the worker and slot that it is streamed from."""

    def __init__(self, caller: Any, app: ASGIApp, bus: InProcessBus, hub: Hub, facts: FieldFacts) -> None:
        self.caller, self.app, self.bus, self.hub, self.facts = caller, app, bus, hub, facts
        self.streams: list[Stream] = []

    @property
    def driving(self) -> Any:
        return self.caller.worker.driving

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Stream:
        given = {**self.caller.http.headers, "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        known = path.partition("?")[0]
        stream = Stream(self.app, method, path, given, body, self.facts.stream(method, f"/v1{known}"))
        self.streams.append(stream)
        return stream

    async def start(self, **fields: Any) -> tuple[Stream, Any]:
        """A stream of a new run that has begun, and the run."""
        body = {"assistant_id": await self.caller.assistant(), "stream": True} | fields
        thread_id = await self.caller.thread("hello")
        stream = self.request("POST", f"/threads/{thread_id}/runs", body)
        return stream, await stream.sees("thread.run.queued")

    def events(self, run: Any, last_event_id: str | None = None) -> Stream:
        headers = {} if last_event_id is None else {"last_event_id": last_event_id}
        return self.request("GET", f"/threads/{run['thread_id']}/runs/{run['id']}/events", **headers)

    async def claim(self, run: Any) -> Run:
        claimed = await self.driving.claim(self.caller.tenant, run["id"])
        assert claimed is not None
        await self.send({"seq": claimed.seq}, run)
        return claimed

    async def open(self, claimed: Run, step_id: str, message_id: str | None) -> None:
        event: StoredEvent = await self.driving.open_step(claimed, step_id, message_id)
        copy = {
            "seq": event.seq,
            "type": event.type,
            "subject": event.subject,
            "data": event.data,
            "created_at": event.created_at.isoformat(),
        }
        await self.send({"event": copy}, {"id": claimed.id})

    async def write(self, run: Any, step_id: str, offset: int, *texts: str, part: Any = "text", **more: Any) -> None:
        for each in texts:
            await self.send({"step_id": step_id, "part": part, "offset": offset, "text": each} | more, run)
            offset += len(each)

    async def send(self, piece: dict[str, Any], run: Any) -> None:
        slot = self.hub.slot
        assert slot is not None
        piece = {"tenant_id": self.caller.tenant, "run_id": run["id"]} | piece
        message = Message(
            type=_TYPE,
            source="/threadworks/run-orchestrator",
            subject=f"slot/{slot}",
            tenant=None,
            data={"pieces": [piece]},
            id=str(uuid4()),
            time=datetime.now(UTC),
        )
        encoded = codec.encode(message)
        topic = catalogue.topic_of(_TYPE)
        record = OutgoingRecord(topic=topic, key=None, value=encoded.value, headers=encoded.headers, partition=slot)
        assert await self.bus.stream_publisher.publish([record]) == [None]

    async def answered(self, *texts: str) -> tuple[Stream, Any]:
        """A stream of a run that was answered, at its end, and the run."""
        stream, run = await self.start()
        claimed = await self.claim(run)
        step_id, message_id = new_id("step"), new_id("message")
        await self.open(claimed, step_id, message_id)
        await self.write(run, step_id, 0, *texts)
        await self.finish(claimed, step_id, message_id, "".join(texts))
        await stream.end()
        return stream, run

    async def finish(self, claimed: Run, step_id: str, message_id: str, said: str) -> None:
        usage = Usage(prompt_tokens=3, completion_tokens=2)
        await self.driving.finish(
            claimed, Answer(step_id=step_id, message_id=message_id, content=text(said), usage=usage)
        )
        await self.send({"seq": claimed.seq + 2}, {"id": claimed.id})


@pytest_asyncio.fixture
async def streaming(
    caller: Any, app: ASGIApp, bus: InProcessBus, hub: Hub, facts: FieldFacts
) -> AsyncIterator[Streaming]:
    streaming = Streaming(caller, app, bus, hub, facts)
    yield streaming
    for stream in streaming.streams:
        stream.leave()
        await asyncio.wait_for(stream.task, 10)


ANSWERED = [
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
    "done",
]


async def test_an_answer_as_it_is_written(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    assert stream.facts.names == ANSWERED[:2], "before anything else has happened"
    claimed = await streaming.claim(run)
    assert claimed.stream_slots == {streaming.hub.slot}
    await stream.sees("thread.run.in_progress")
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await stream.sees("thread.message.in_progress")
    for place, each in enumerate(("Hel", "lo\u2028", "wörld 💬\x85")):
        await streaming.write(run, step_id, [0, 3, 6][place], each)
        await stream.sees("thread.message.delta", place + 1)
    await streaming.finish(claimed, step_id, message_id, "Hello\u2028wörld 💬\x85!")
    names = await stream.end()
    assert names == [*ANSWERED[:7], *["thread.message.delta"] * 4, *ANSWERED[8:]]
    assert stream.text == "Hello\u2028wörld 💬\x85!"
    first = await stream.sees("thread.message.delta")
    assert first["delta"]["content"] == [{"index": 0, "type": "text", "text": {"value": "Hel", "annotations": []}}]
    assert not {"\u2028", "\x85"} & set(stream.raw.decode()), "readers of lines may cut there"
    assert stream.raw.endswith(b"\n\n")
    assert {name: stream.headers[name] for name in ("content-type", "cache-control", "x-accel-buffering")} == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
    }
    assert stream.headers["x-request-id"].startswith("req_")
    assert "content-length" not in stream.headers
    path = f"/threads/{run['thread_id']}"
    assert await stream.sees("thread.run.completed") == await streaming.caller.get(f"{path}/runs/{run['id']}")
    assert await stream.sees("thread.message.completed") == (await streaming.caller.get(f"{path}/messages"))["data"][0]
    step = (await streaming.caller.get(f"{path}/runs/{run['id']}/steps"))["data"][0]
    assert await stream.sees("thread.run.step.completed") == step


async def test_without_a_word_from_the_worker_the_database_tells_it_all(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.driving.claim(streaming.caller.tenant, run["id"])
    await stream.sees("thread.run.in_progress")
    await streaming.driving.finish(claimed, answer("all at once"))
    assert await stream.end() == ANSWERED
    assert stream.text == "all at once"


async def test_a_thread_and_its_run(streaming: Streaming) -> None:
    resources = {"code_interpreter": {"file_ids": []}}
    body = {
        "assistant_id": await streaming.caller.assistant(),
        "thread": {
            "messages": [{"role": "user", "content": "hello"}], "metadata": {"a": "b"}, "tool_resources": resources
        },
        "stream": True,
    }  # fmt: skip
    stream = streaming.request("POST", "/threads/runs", body)
    run = await stream.sees("thread.run.queued")
    await streaming.driving.finish(await streaming.claim(run), answer("hi"))
    assert await stream.end() == ["thread.created", *ANSWERED]
    assert stream.facts.events[0][1] == await streaming.caller.get(f"/threads/{run['thread_id']}")


async def test_calls_of_tools_then_the_answer(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.claim(run)
    message_step, message_id, step_id = new_id("step"), new_id("message"), new_id("step")
    await streaming.open(claimed, message_step, message_id)
    await streaming.write(run, message_step, 0, "Let me", " see.")
    await stream.sees("thread.message.delta")
    await streaming.driving.say(claimed, Said(step_id=message_step, message_id=message_id, content=text("Let me see.")))
    first, second = call(), call()
    await streaming.open(claimed, step_id, None)
    for place, each in enumerate((first, second)):
        begins = {"id": each.id, "name": each.name}
        await streaming.write(run, step_id, 0, "", part=place, call=begins)
        await streaming.write(run, step_id, 0, "{", "}", part=place)
    await streaming.driving.park(claimed, step_id, [first, second], Usage(prompt_tokens=1, completion_tokens=1))
    await streaming.send({"seq": claimed.seq + 6}, run)
    names = await stream.end()
    assert names[-2:] == ["thread.run.requires_action", "done"]
    assert names.count("thread.run.step.in_progress") == 2, "one of the message and one of the calls"
    required = await stream.sees("thread.run.requires_action")
    assert required == await streaming.caller.get(f"/threads/{run['thread_id']}/runs/{run['id']}")

    whole = streaming.events(run)
    await whole.sees("thread.run.requires_action")
    outputs = [{"tool_call_id": each.id, "output": "1"} for each in (first, second)]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    refused = await streaming.caller.refused("POST", path, json={"tool_outputs": outputs[:1], "stream": True})
    assert "Expected tool outputs" in refused["message"]
    more = streaming.request("POST", path, {"tool_outputs": outputs, "stream": True})
    await more.sees("thread.run.queued")
    claimed = await streaming.claim(run)
    await streaming.driving.finish(claimed, answer("There."))
    expected = ["thread.run.step.completed", "thread.run.queued", *ANSWERED[2:]]
    assert await more.end() == expected
    assert [each["function"]["output"] for each in more.facts.events[0][1]["step_details"]["tool_calls"]] == ["1", "1"]
    told = await whole.end()
    assert told == [*names[:-1], *expected], "it has stayed open, and is told all of it"
    assert whole.ids[-len(expected) :] == more.ids


async def test_services_answer_and_the_client_sees_one_run_in_progress(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.claim(run)
    server = call("moodle")
    await streaming.driving.park(claimed, new_id("step"), [server], Usage(prompt_tokens=1, completion_tokens=1))
    await stream.sees("thread.run.step.delta", 2)
    assert await streaming.caller.worker.answers.complete(streaming.caller.tenant, run["id"], server.id, "3")
    await streaming.driving.finish(await streaming.claim(run), answer("There."))
    names = await stream.end()
    assert [name for name in names if name.count(".") == 2 and "run" in name and "step" not in name] == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.completed",
    ]


async def test_from_every_id_exactly_the_rest_is_told(streaming: Streaming) -> None:
    stream, run = await streaming.answered("Hel", "lo, ", "wörld")
    names = stream.facts.names
    for place, last in enumerate(stream.ids):
        rest = streaming.events(run, last)
        told = await rest.end()
        written = b"".join(each + b"\n\n" for each in stream.raw.split(b"\n\n")[place + 1 : -1])
        if last == stream.ids[-1]:
            assert told == ["done"], "it was over, and still is"
        elif "thread.message.delta" not in names[place + 1 :]:
            assert rest.raw == written
        else:
            before = sum(name == "thread.message.delta" for name in names[: place + 1])
            assert rest.text == "".join(["Hel", "lo, ", "wörld"][before:])
            assert told[-4:] == ANSWERED[8:]
    events = f"/threads/{run['thread_id']}/runs/{run['id']}/events"
    half = streaming.request("GET", f"{events}?last_event_id={run['id']}:3.8")
    await half.end()
    assert half.text == ", wörld", "also in the middle of what was one delta"


async def test_a_run_that_is_over_is_told_again(streaming: Streaming) -> None:
    _, run = await streaming.answered("Hel", "lo")
    again = streaming.events(run)
    assert await again.end() == ANSWERED
    assert again.text == "Hello"


@pytest.mark.parametrize(
    "last", ["x", "run_other:1", "{run}", "{run}:", "{run}:x", "{run}:1.", "{run}:-1", "{run}:1.2.3", "{run}:99", "é:1"]
)
async def test_an_id_that_is_none_is_refused(streaming: Streaming, last: str) -> None:
    _, run = await streaming.answered("Hello")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/events"
    last = last.format(run=run["id"])
    for request in ({"headers": {"last-event-id": last.encode()}}, {"params": {"last_event_id": last}}):
        error = await streaming.caller.refused("GET", path, **request)
        assert (error["param"], error["code"]) == ("last_event_id", "invalid_value")


async def test_a_run_that_is_not_there_has_no_events(streaming: Streaming, new_caller: Any) -> None:
    _, run = await streaming.answered("Hello")
    path = f"/threads/{run['thread_id']}/runs/run_x/events"
    assert "No run found with id 'run_x'." in (await streaming.caller.refused("GET", path, 404))["message"]
    assert "No thread" in (await streaming.caller.refused("GET", "/threads/thread_x/runs/run_x/events", 404))["message"]
    stranger = await new_caller()
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/events"
    await stranger.refused("GET", path, 404)


async def test_head_tells_that_there_is_a_stream_and_no_more(streaming: Streaming) -> None:
    run = await streaming.caller.run()
    reply = await streaming.caller.http.head(f"/threads/{run['thread_id']}/runs/{run['id']}/events")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["content-type"].startswith("text/event-stream")


async def test_refusals_are_no_streams(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    body = {"assistant_id": run["assistant_id"], "stream": True}
    error = await streaming.caller.refused("POST", f"/threads/{run['thread_id']}/runs", json=body)
    assert error["message"] == f"Thread {run['thread_id']} already has an active run {run['id']}."
    body["assistant_id"] = "asst_x"
    await streaming.caller.refused("POST", "/threads/runs", 404, json=body)
    stream.leave()


async def test_two_readers_and_one_that_comes_back_in_the_middle(streaming: Streaming) -> None:
    first, run = await streaming.start()
    second = streaming.events(run)
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "one ", "two ")
    await asyncio.gather(*(each.until(lambda each=each: each.text == "one two ") for each in (first, second)))
    first.leave()
    await first.task
    await streaming.write(run, step_id, 8, "three ")
    await second.until(lambda: second.text == "one two three ")
    back = streaming.events(run, first.ids[-1])
    await back.until(lambda: back.text == "three ")
    await streaming.finish(claimed, step_id, message_id, "one two three four")
    await asyncio.gather(second.end(), back.end())
    assert (second.text, back.text) == ("one two three four", "three four")
    assert first.facts.names + [each for each in back.facts.names if each != "thread.message.delta"] == [
        *ANSWERED[:7],
        *["thread.message.delta"] * (len(first.facts.names) - 7),
        *ANSWERED[8:],
    ]


async def test_nobody_reads_and_the_run_goes_on(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    stream.leave()
    await stream.task
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "written ", "meanwhile")
    back = streaming.events(run, stream.ids[-1])
    await back.until(lambda: back.text == "written meanwhile")
    await streaming.finish(claimed, step_id, message_id, "written meanwhile")
    assert (await back.end())[-2:] == ["thread.run.completed", "done"]


async def test_cancelled_in_the_middle(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "half a ")
    await stream.sees("thread.message.delta")
    await streaming.caller.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    await stream.sees("thread.run.cancelling")
    await streaming.driving.obey_cancel(claimed, text("half a sent"))
    names = await stream.end()
    assert names[-6:] == [
        "thread.run.cancelling",
        "thread.message.delta",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]
    assert stream.text == "half a sent"


async def test_a_lost_worker(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "half a ")
    await stream.sees("thread.message.delta")
    await streaming.driving.hand_back(streaming.caller.tenant, run["id"], claimed.attempt)
    cut = await stream.sees("thread.message.incomplete")
    assert cut["content"][0]["text"]["value"] == "half a "
    await streaming.driving.finish(await streaming.claim(run), answer("a whole sentence"))
    names = await stream.end()
    assert names[8:10] == ["thread.message.incomplete", "thread.run.step.failed"]
    assert names[10:] == ANSWERED[3:]


async def test_a_repeated_request_joins_the_stream(streaming: Streaming) -> None:
    body = {"assistant_id": await streaming.caller.assistant(), "stream": True}
    key = str(uuid4())
    first = streaming.request("POST", "/threads/runs", body, idempotency_key=key)
    run = await first.sees("thread.run.queued")
    again = streaming.request("POST", "/threads/runs", body, idempotency_key=key)
    assert (await again.sees("thread.run.queued"))["id"] == run["id"]
    claimed = await streaming.claim(run)
    calls = [call()]
    await streaming.driving.park(claimed, new_id("step"), calls, Usage(prompt_tokens=1, completion_tokens=1))
    assert await first.end() == await again.end()
    assert first.raw == again.raw
    assert again.headers["idempotent-replayed"] == "true"
    late = streaming.request("POST", "/threads/runs", body, idempotency_key=key)
    await late.end()
    assert late.raw == first.raw

    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    body = {"tool_outputs": [{"tool_call_id": calls[0].id, "output": "1"}], "stream": True}
    submitted = [streaming.request("POST", path, body, idempotency_key=f"{key}-2") for _ in range(2)]
    for each in submitted:
        await each.sees("thread.run.queued")
    await streaming.driving.finish(await streaming.claim(run), answer("There."))
    assert await submitted[0].end() == await submitted[1].end() == [
        "thread.run.step.completed", "thread.run.queued", *ANSWERED[2:]
    ]  # fmt: skip


async def test_a_run_that_expires_or_fails(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    await streaming.driving.fail(await streaming.claim(run), "rate_limit_exceeded", "Too much.")
    assert (await stream.end())[-2:] == ["thread.run.failed", "done"]
    assert (await stream.sees("thread.run.failed"))["last_error"]["code"] == "rate_limit_exceeded"
