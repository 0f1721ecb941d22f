"""Repetitions that come to one process wait for each other there, and not on connections to the database."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from file_store import FileStore
from gateway.application import idempotency
from gateway.application.idempotency import Idempotency
from gateway.application.streams.hub import Hub
from gateway.bootstrap import use_cases
from gateway.entrypoints.http.app import Surface, build_app
from gateway.entrypoints.http.bytes_reply import BytesReply
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.exchange import Call, Reply, StreamReply, StreamStart
from gateway.entrypoints.http.idempotency import KeyedRequests
from gateway.entrypoints.http.openai.refusals import refusal_of
from gateway.entrypoints.http.openai.surface import openai_surface
from gateway.settings import GatewaySettings
from run_engine.errors import DatabaseUnavailable, KeyInUse
from run_engine.process import EngineProcess
from run_engine.store.idempotency import IdempotencyKeys, KeptReply, KeyedRequest

REQUEST = KeyedRequest("tenant", b"name", b"fingerprint")
REPLY = KeptReply(status=200, body=b"{}")


class Remembered:
    """Replies kept in memory, for one request after the other."""

    def __init__(self) -> None:
        self.replies: dict[bytes, KeptReply] = {}
        self.working = 0

    async def kept(self, request: KeyedRequest) -> KeptReply | None:
        return self.replies.get(request.name)

    async def once(self, request: KeyedRequest, effect: Any) -> KeptReply | None:
        if request.name in self.replies:
            return self.replies[request.name]
        self.working += 1
        assert self.working == 1, "one at a time"
        try:
            self.replies[request.name] = await effect()
        finally:
            self.working -= 1
        return None


async def test_repetitions_wait_for_the_first_one() -> None:
    replies, finish = Remembered(), asyncio.Event()
    once = Idempotency(replies).once

    async def slow() -> KeptReply:
        await finish.wait()
        return REPLY

    tasks = [asyncio.create_task(once(REQUEST, slow)) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.sleep(0)
    finish.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results.pop(2), asyncio.CancelledError)
    assert results == [None, REPLY, REPLY, REPLY]


async def test_after_a_refusal_one_after_the_other_tries() -> None:
    begun = 0
    once = Idempotency(Remembered()).once

    async def third_time() -> KeptReply:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        if begun < 3:
            raise LookupError
        return REPLY

    results = await asyncio.gather(*(once(REQUEST, third_time) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results[:2]] == [LookupError, LookupError]
    assert results[2:] == [None, REPLY, REPLY]
    assert begun == 3


async def test_the_wait_has_an_end_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = asyncio.Event()
    once = Idempotency(Remembered()).once

    async def slow() -> KeptReply:
        await finish.wait()
        return REPLY

    first = asyncio.create_task(once(REQUEST, slow))
    await asyncio.sleep(0)
    monkeypatch.setattr(idempotency, "LONGEST_WAIT", idempotency.LONGEST_WAIT * 0)
    with pytest.raises(KeyInUse) as in_use:
        await once(REQUEST, slow)
    reply = refusal_of(in_use.value, "POST", "/v1/threads").reply()
    assert (reply.status, dict(reply.headers)) == (409, {b"retry-after": b"1", b"x-should-retry": b"true"})
    assert b"idempotency_key_in_use" in reply.body
    finish.set()
    assert await first is None


async def test_many_repetitions_of_a_slow_request_leave_the_connections_to_others(engine: EngineProcess) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()
    once = Idempotency(IdempotencyKeys(engine.database)).once

    async def slow() -> KeptReply:
        begun.set()
        await finish.wait()
        return REPLY

    tasks = [asyncio.create_task(once(REQUEST, slow)) for _ in range(50)]
    async with asyncio.timeout(3):
        await begun.wait()
        await asyncio.gather(*(engine.database.ping() for _ in range(20)))
    finish.set()
    results = await asyncio.gather(*tasks)
    assert sorted(results, key=repr) == [REPLY] * 49 + [None]


def a_call(**more: Any) -> Call:
    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}"}

    return Call(tenant_id="tenant", values={}, query=b"", headers={}, receive=receive, largest_body=10, **more)


async def test_status_and_headers_are_kept_too() -> None:
    made = Reply(202, b"[]", ((b"openai-poll-after-ms", b"100"), (b"x-latin", b"\xe9")))

    async def handler(_call: Call) -> Reply:
        return made

    keyed = KeyedRequests(Idempotency(Remembered()))
    assert await keyed.answer(b"a", "POST /", a_call(), handler) == made
    again = await keyed.answer(b"a", "POST /", a_call(), handler)
    assert again == Reply(202, b"[]", (*made.headers, (b"idempotent-replayed", b"true")))


async def test_a_handler_may_return_its_refusal() -> None:
    replies = Remembered()

    async def handler(_call: Call) -> Reply:
        return Reply(400, b"{}")

    keyed = KeyedRequests(Idempotency(replies))
    assert await keyed.answer(b"a", "POST /", a_call(), handler) == Reply(400, b"{}")
    assert replies.replies == {}


async def test_a_reply_that_cannot_be_kept_is_a_fault() -> None:
    async def nothing() -> Any:
        return
        yield b""

    async def handler(_call: Call) -> BytesReply:
        return BytesReply(200, nothing(), 0, ())

    with pytest.raises(TypeError, match="a BytesReply, which cannot be kept"):
        await KeyedRequests(Idempotency(Remembered())).answer(b"a", "POST /", a_call(), handler)


START = StreamStart("thread_1", "run_1", "run_1:0")


async def events(*texts: bytes) -> AsyncGenerator[bytes, None]:
    for text in texts:
        yield text


async def join(_call: Call, start: StreamStart) -> StreamReply:
    return StreamReply(events(b"joined after ", start.after.encode()), start, ((b"x-own", b"1"),))


async def test_a_repetition_of_a_stream_joins_it() -> None:
    async def handler(_call: Call) -> StreamReply:
        return StreamReply(events(b"first"), START)

    keyed = KeyedRequests(Idempotency(Remembered()), join)
    first = await keyed.answer(b"a", "POST /", a_call(), handler)
    again = await keyed.answer(b"a", "POST /", a_call(), handler)
    assert isinstance(first, StreamReply)
    assert isinstance(again, StreamReply)
    assert [text async for text in first.events] == [b"first"]
    assert [text async for text in again.events] == [b"joined after ", b"run_1:0"]
    assert (first.headers, again.headers) == ((), ((b"x-own", b"1"), (b"idempotent-replayed", b"true")))
    assert again.start == START


async def test_what_was_not_committed_is_not_streamed() -> None:
    class Away(Remembered):
        async def once(self, request: KeyedRequest, effect: Any) -> KeptReply | None:
            await effect()
            raise DatabaseUnavailable

    made = StreamReply(events(b"never"), START)

    async def handler(_call: Call) -> StreamReply:
        return made

    with pytest.raises(DatabaseUnavailable):
        await KeyedRequests(Idempotency(Away()), join).answer(b"a", "POST /", a_call(), handler)
    assert [text async for text in made.events] == []


async def test_a_stream_over_http(
    caller: Any, engine: EngineProcess, stored: FileStore, settings: GatewaySettings, hub: Hub
) -> None:
    async def handler(_call: Call) -> StreamReply:
        return StreamReply(events(b"event: a\n\n", b"event: b\n\n"), START)

    surface = Surface(
        openai_surface(use_cases(engine, settings, stored, hub), settings).dialect,
        [("/v1/streams", {"POST": handler})],
        KeyedRequests(Idempotency(IdempotencyKeys(engine.database)), join),
    )
    app = build_app([surface], largest_body=1024, draining=Draining())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway/v1", headers=caller.http.headers
    ) as http:
        plain, first, again = [
            await http.post("/streams", headers=headers) for headers in ({}, *[{"idempotency-key": "a"}] * 2)
        ]
    assert plain.text == first.text == "event: a\n\nevent: b\n\n"
    assert again.text == "joined after run_1:0"
    assert again.headers["idempotent-replayed"] == "true"
    for reply in (plain, first, again):
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert reply.headers["cache-control"] == "no-cache"
        assert "content-length" not in reply.headers
