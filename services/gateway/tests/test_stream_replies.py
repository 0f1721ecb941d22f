"""Streams on a real socket: written as they come, ended by either side, finished while the server drains."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

from gateway.entrypoints.http.app import Surface, build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.exchange import Call, Headers, Reply, StreamReply, StreamStart
from gateway.entrypoints.http.openai.refusals import HEAD_TOO_LARGE, MALFORMED
from gateway.entrypoints.http.server import HttpServer
from structlog.testing import capture_logs


class Told:
    """A dialect that streams what it is told to."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.written = 0

    async def tenant_of(self, _headers: Headers) -> str:
        return "tenant"

    def refuse(self, error: Exception, _method: str, _path: str) -> Reply:
        raise error

    async def stream(self, _call: Call) -> StreamReply:
        return StreamReply(self._stream(), StreamStart("thread_1", "run_1", "run_1:0"))

    async def _stream(self) -> AsyncGenerator[bytes, None]:
        try:
            while (event := await self.events.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
                self.written += 1
        finally:
            self.closed.set()


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[HttpServer, Told]]:
    draining, told = Draining(), Told()
    server = HttpServer(
        build_app([Surface(told, [("/", {"GET": told.stream})])], largest_body=1024, draining=draining),
        host="127.0.0.1",
        port=0,
        listen_fd=None,
        draining=draining,
        malformed=MALFORMED,
        head_too_large=HEAD_TOO_LARGE,
        farewell=0.2,
    )
    await server.start()
    try:
        yield server, told
    finally:
        told.events.put_nowait(None)
        await server.stop()


class Client:
    """One connection that has asked for the stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def of(cls, server: HttpServer, method: str = "GET") -> AsyncIterator["Client"]:
        client = cls(*await asyncio.open_connection("127.0.0.1", server.port))
        client.writer.write(f"{method} / HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        try:
            yield client
        finally:
            await client.close()

    async def head(self) -> str:
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode()

    async def chunk(self) -> bytes:
        size = int((await asyncio.wait_for(self.reader.readuntil(b"\r\n"), 5)).decode(), 16)
        return (await self.reader.readexactly(size + 2))[:size]

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


async def test_events_are_written_one_by_one_as_they_come() -> None:
    async with serving() as (server, told), Client.of(server) as client:
        head = await client.head()
        assert "content-type: text/event-stream; charset=utf-8\r\n" in head, "before there is an event"
        assert "transfer-encoding: chunked" in head
        for event in (b"event: a\n\n", b": keepalive\n", b"event: b\n\n"):
            told.events.put_nowait(event)
            assert await client.chunk() == event
        told.events.put_nowait(None)
        assert await client.chunk() == b""
        client.writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await client.head()).startswith("HTTP/1.1 200"), "the connection can be used again"


async def test_a_client_that_goes_is_noticed_while_nothing_is_told() -> None:
    async with serving() as (server, told):
        async with Client.of(server) as client:
            await client.head()
        with capture_logs() as lines:
            await asyncio.wait_for(told.closed.wait(), 5)
        assert lines == []


async def test_a_head_tells_of_the_stream_and_ends() -> None:
    async with serving() as (server, _), Client.of(server, "HEAD") as client:
        assert "text/event-stream" in await client.head()
        client.writer.write(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await client.head()).startswith("HTTP/1.1 200")


async def test_a_stream_that_breaks_has_no_end() -> None:
    async with serving() as (server, told), Client.of(server) as client:
        await client.head()
        with capture_logs() as lines:
            told.events.put_nowait(ValueError("secret"))
            assert await asyncio.wait_for(client.reader.read(), 5) == b"", "no last chunk: the client sees it broke off"
        (line,) = [line for line in lines if line["action"] == "stream_broke_off"]
        assert line["error"] == "ValueError"
        assert "secret" not in str(line)


async def test_a_stream_goes_on_while_the_server_drains() -> None:
    async with serving() as (server, told), Client.of(server) as client:
        await client.head()
        stopping = asyncio.create_task(server.stop())
        async with asyncio.timeout(5):
            while True:
                try:
                    await Client(*await asyncio.open_connection("127.0.0.1", server.port)).close()
                except ConnectionError:
                    break
        told.events.put_nowait(b"event: late\n\n")
        assert await client.chunk() == b"event: late\n\n"
        assert not stopping.done()
        told.events.put_nowait(None)
        assert await client.chunk() == b""
        await asyncio.wait_for(stopping, 10)


async def test_a_client_that_does_not_read_is_written_no_more_than_it_takes() -> None:
    async with serving() as (server, told):
        async with Client.of(server) as client:
            await client.head()
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # there is no public way to not read
            event = b"x" * 65536
            for _ in range(1000):
                told.events.put_nowait(event)
            # Far more turns than a thousand events would take.
            for _ in range(10_000):
                await asyncio.sleep(0)
            assert 0 < told.written < 500
        await asyncio.wait_for(told.closed.wait(), 5)
