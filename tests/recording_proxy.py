"""Stands between any client and an installation, and holds every reply to the field facts while passing it on.

The suites of the official SDKs run through it, whatever language they are in. It runs on a thread of its own, so that
synchronous clients may block the test's. A reply is judged before its last byte is passed on: when a client has read
it, what was wrong with it is known.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import web
from conformance.field_facts import FieldFacts
from conformance.stream_facts import StreamFacts
from yarl import URL

_HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host")
_START_SECONDS = 10.0
_SETTLE_SECONDS = 10.0
Doctor = Callable[[bytes], bytes]
"""Changes the bytes of a reply on their way, to show that the suites see it."""


class RecordingProxy:
    """A reverse proxy to `upstream` (ends in /v1), and what it saw. `url` is what a client takes as its base URL."""

    def __init__(self, upstream: str, facts: FieldFacts, doctor: Doctor = bytes) -> None:
        self.url = ""
        self.facts = facts
        self.streams: list[StreamFacts] = []
        """The streamed replies since the last `forget`, in the order in which they began."""
        self._upstream = upstream.removesuffix("/v1")
        self._doctor = doctor
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="recording-proxy")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._listening = threading.Event()
        self._passing = 0
        self._passed = threading.Condition()

    def start(self) -> None:
        """Return when it listens."""
        self._thread.start()
        assert self._listening.wait(_START_SECONDS)

    def stop(self) -> None:
        """Close all connections. Safe to call once."""
        assert self._loop is not None
        assert self._over is not None
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def settle(self) -> None:
        """Return when every reply has passed to its end, which a client that has read `[DONE]` does not wait for."""
        with self._passed:
            assert self._passed.wait_for(lambda: not self._passing, _SETTLE_SECONDS)

    def forget(self) -> None:
        """Begin anew: no problems, no streams."""
        self.facts.problems.clear()
        self.streams.clear()

    @property
    def problems(self) -> list[str]:
        """What was wrong with any reply so far."""
        return [*self.facts.problems, *(each for stream in self.streams for each in stream.problems)]

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            _listening(lambda request: self._count(self._pass_on(session, request))) as port,
        ):
            self.url = f"http://127.0.0.1:{port}/v1"
            self._listening.set()
            await self._over.wait()

    async def _count(self, passing: Coroutine[None, None, web.StreamResponse]) -> web.StreamResponse:
        with self._passed:
            self._passing += 1
        try:
            return await passing
        finally:
            with self._passed:
                self._passing -= 1
                self._passed.notify_all()

    async def _pass_on(self, session: aiohttp.ClientSession, request: web.BaseRequest) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        body = request.content if request.can_read_body else None
        address = URL(self._upstream + request.raw_path, encoded=True)
        async with session.request(request.method, address, headers=headers, data=body, allow_redirects=False) as reply:
            passed = web.StreamResponse(status=reply.status, reason=reply.reason)
            for name, value in reply.headers.items():
                if name.lower() not in {*_HOP_BY_HOP, "content-length"}:
                    passed.headers.add(name, value)
            # A client may leave in the middle.
            with suppress(ConnectionResetError):
                if reply.content_type == "text/event-stream":
                    await self._pass_on_stream(request, reply, passed)
                else:
                    content = self._doctor(await reply.read())
                    self._check(request, reply.status, content)
                    passed.content_length = len(content)
                    await passed.prepare(request)
                    await passed.write(content)
                await passed.write_eof()
        return passed

    async def _pass_on_stream(
        self, request: web.BaseRequest, reply: aiohttp.ClientResponse, passed: web.StreamResponse
    ) -> None:
        stream = self.facts.stream(request.method, request.path)
        self.streams.append(stream)
        await passed.prepare(request)
        async for piece in reply.content.iter_any():
            doctored = self._doctor(piece)
            stream.feed(doctored)
            await passed.write(doctored)
        stream.end()

    def _check(self, request: web.BaseRequest, status: int, content: bytes) -> None:
        try:
            self.facts.check(request.method, request.path, status, content)
        except LookupError as error:
            self.facts.problems.append(str(error))


@asynccontextmanager
async def _listening(handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    runner = web.ServerRunner(web.Server(handler, handler_cancellation=True), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
