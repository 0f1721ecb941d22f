"""The recording proxy: what passes it comes out as it was, at once, and is judged."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from conformance.field_facts import FieldFacts
from recording_proxy import RecordingProxy

THREAD = {"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": None}
EVENT = b"id: run_1:%d\nevent: thread.created\ndata: " + orjson.dumps(THREAD) + b"\n\n"


class Upstream:
    """Answers what a test lays before it."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: Any = THREAD
        self.seen: list[tuple[str, str, bytes]] = []
        self.go_on = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append((request.method, request.raw_path, await request.read()))
        if request.path.endswith("/runs"):
            return await self._stream(request)
        return web.json_response(self.answer, headers={"x-request-id": "req_1"}, status=200)

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        await response.write(EVENT % 1)
        await self.go_on.wait()
        await response.write(EVENT % 2)
        return response


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    runner = web.ServerRunner(web.Server(upstream.handle), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield upstream
    await runner.cleanup()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[RecordingProxy]:
    proxy = RecordingProxy(upstream.url, FieldFacts())
    proxy.start()
    yield proxy
    proxy.stop()


async def test_a_reply_passes_as_it_was(upstream: Upstream, proxy: RecordingProxy) -> None:
    async with httpx.AsyncClient(base_url=proxy.url) as http:
        response = await http.post("/threads/thread_1?a=%2F", content=b'{"metadata": {}}')
    assert response.json() == THREAD
    assert response.headers["x-request-id"] == "req_1"
    assert upstream.seen == [("POST", "/v1/threads/thread_1?a=%2F", b'{"metadata": {}}')]
    assert proxy.problems == []
    assert proxy.facts.operations == {("POST", "/threads/{thread_id}")}


@pytest.mark.parametrize("key", ["id", "object", "created_at", "metadata", "tool_resources"])
async def test_a_reply_without_a_required_key_is_found(upstream: Upstream, proxy: RecordingProxy, key: str) -> None:
    upstream.answer = {name: value for name, value in THREAD.items() if name != key}
    async with httpx.AsyncClient(base_url=proxy.url) as http:
        assert (await http.get("/threads/thread_1")).json() == upstream.answer
    assert len(proxy.problems) == 1
    assert f'"{key}" is a required property' in proxy.problems[0]
    proxy.forget()
    assert proxy.problems == []


async def test_an_operation_that_the_api_never_had_is_found(proxy: RecordingProxy) -> None:
    async with httpx.AsyncClient(base_url=proxy.url) as http:
        await http.get("/threads/thread_1/nonsense")
    assert proxy.problems == ["the field facts know no operation GET /v1/threads/thread_1/nonsense"]


async def test_a_stream_passes_event_by_event(upstream: Upstream, proxy: RecordingProxy) -> None:
    async with (
        httpx.AsyncClient(base_url=proxy.url) as http,
        http.stream("POST", "/threads/thread_1/runs") as response,
    ):
        pieces = response.aiter_bytes()
        assert await anext(pieces) == EVENT % 1
        assert proxy.streams[0].names == ["thread.created"]
        upstream.go_on.set()
        assert [each async for each in pieces] == [EVENT % 2]
    proxy.settle()
    assert "thread.created where no thread is made" in proxy.problems
    assert "the stream ends without done" in proxy.problems


async def test_many_requests_at_once(proxy: RecordingProxy) -> None:
    async with httpx.AsyncClient(base_url=proxy.url) as http:
        replies = await asyncio.gather(*(http.get(f"/threads/thread_{number}") for number in range(50)))
    assert {each.status_code for each in replies} == {200}
    assert proxy.problems == []


async def test_whoever_cannot_be_reached_is_no_success() -> None:
    proxy = RecordingProxy("http://127.0.0.1:1/v1", FieldFacts())
    proxy.start()
    try:
        async with httpx.AsyncClient(base_url=proxy.url) as http:
            assert (await http.get("/threads/thread_1")).status_code == 500
    finally:
        proxy.stop()
