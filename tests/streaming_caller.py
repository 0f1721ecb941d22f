"""A client that streams runs from a gateway without a socket, and the worker and slot that they are streamed from.

Used by the tests of the gateway. Every stream is held to the field facts: payloads, ids, and the order of events.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from conformance.field_facts import FieldFacts
from conformance.stream_facts import StreamFacts
from engine_world import new_id, text
from event_bus import OutgoingRecord
from event_bus.in_process import InProcessBus
from gateway.application.streams.hub import Hub
from message_contracts import Message, catalogue, codec
from run_engine.domain.objects import Run, Usage
from run_engine.store.driving import Answer
from run_engine.store.streams import StoredEvent
from starlette.types import ASGIApp

_TYPE = "threadworks.run-delta.produced.v1"

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
