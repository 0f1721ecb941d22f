"""Clients that keep us waiting, send too much, or offer another protocol: one connection of the server at a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import orjson
import pytest
from gateway.entrypoints.http.app import Surface, build_app
from gateway.entrypoints.http.bytes_reply import BytesReply
from gateway.entrypoints.http.connection import LARGEST_HEAD
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.exchange import Call, Headers, Reply
from gateway.entrypoints.http.openai.refusals import HEAD_TOO_LARGE, MALFORMED, refusal_of
from gateway.entrypoints.http.server import HttpServer


class Echo:
    """A dialect that gives back what it gets."""

    async def tenant_of(self, _headers: Headers) -> str:
        return "tenant"

    def refuse(self, error: Exception, method: str, path: str) -> Reply:
        return refusal_of(error, method, path).reply()

    def __init__(self) -> None:
        self.given = 0
        self.over = asyncio.Event()

    async def much(self, _call: Call) -> BytesReply:
        """A gigabyte, made as it is taken."""

        async def pieces() -> AsyncGenerator[bytes, None]:
            try:
                for _ in range(1024):
                    self.given += 1
                    yield b"x" * 1024 * 1024
            finally:
                self.over.set()

        return BytesReply(200, pieces(), 1024 * 1024 * 1024, ())

    async def echo(self, call: Call) -> Reply:
        return Reply(200, await call.body())


class Client:
    """One connection to the server."""

    def __init__(self, dialect: Echo, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dialect, self.reader, self.writer = dialect, reader, writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            # The server gets its turn, and so each piece for itself.
            for _ in range(5):
                await asyncio.sleep(0)

    async def reply(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def is_let_go(self) -> bool:
        async with asyncio.timeout(10):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def connected(patience: int = 60) -> AsyncIterator[Client]:
    draining, dialect = Draining(), Echo()
    surface = Surface(dialect, [("/", {"GET": dialect.echo, "POST": dialect.echo}), ("/much", {"GET": dialect.much})])
    server = HttpServer(
        build_app([surface], largest_body=1024 * 1024, draining=draining),
        host="127.0.0.1",
        port=0,
        listen_fd=None,
        draining=draining,
        malformed=MALFORMED,
        head_too_large=HEAD_TOO_LARGE,
        farewell=0.05,
        patience=patience,
    )
    await server.start()
    client = Client(dialect, *await asyncio.open_connection("127.0.0.1", server.port))
    try:
        yield client
    finally:
        client.writer.close()
        with suppress(OSError):
            await client.writer.wait_closed()
        await server.stop()


H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
WEBSOCKET = b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET])
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"content-length: 11\r\n", b'{"a":"b c"}'),
        (b"transfer-encoding: chunked\r\n", b'b\r\n{"a":"b c"}\r\n0\r\n\r\n'),
    ],
)
async def test_a_body_survives_the_offer_of_another_protocol(offer: bytes, framing: bytes, body: bytes) -> None:
    # Java's HttpClient offers HTTP/2 with its first request, whatever that is.
    head = b"POST / HTTP/1.1\r\nhost: x\r\n" + offer + framing + b"\r\n"
    async with connected() as client:
        for pieces in ([head + body], [head, body], [head[:70], head[70:], body[:4], body[4:]], [(head + body) * 3]):
            await client.send(*pieces)
            for _ in range(3 if len(pieces[0]) > len(head + body) else 1):
                status, _, echoed = await client.reply()
                assert (status, echoed) == (200, b'{"a":"b c"}'), pieces
        await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n" + offer + b"\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert [(await client.reply())[0] for _ in range(2)] == [200, 200]


async def test_nobody_is_connected_through() -> None:
    for target in (b"example.org:443", b"/"):
        async with connected() as client:
            await client.send(b"CONNECT " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await client.reply())[0] in (400, 405)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET /?" + b"a" * LARGEST_HEAD + b" HTTP/1.1\r\nhost: x\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * LARGEST_HEAD + b"\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * (LARGEST_HEAD // 6) + b"\r\n"],
        [b"GET /?", *[b"a" * 1024] * (LARGEST_HEAD // 1024 + 1)],
        [b"GET / HTTP/1.1\r\nx-long: ", *[b"a" * 1024] * (LARGEST_HEAD // 1024 + 1)],
        [b"GET / HTTP/1.1\r\n", *[b"a: b\r\n" * 100] * (LARGEST_HEAD // 600 + 1)],
    ],
    ids=["url", "header", "headers", "url in pieces", "header in pieces", "headers in pieces"],
)
async def test_a_head_has_an_end(pieces: list[bytes]) -> None:
    async with connected() as client:
        await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await client.reply())[0] == 200
        with suppress(ConnectionError):
            await client.send(*pieces)
        status, headers, body = await client.reply()
        assert (status, headers["connection"]) == (431, "close")
        assert orjson.loads(body)["error"]["type"] == "invalid_request_error"
        assert await client.is_let_go()


async def test_heads_are_measured_one_by_one() -> None:
    large = (
        b"POST / HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * (LARGEST_HEAD - 1024) + b"\r\ncontent-length: 100000\r\n\r\n"
    )
    async with connected() as client:
        for _ in range(3):
            await client.send(large + b"x" * 90_000, b"x" * 10_000 + b"GET / HTTP/1.1\r\n", b"host: x\r\n\r\n")
            assert [(status, len(body)) for status, _, body in [await client.reply(), await client.reply()]] == [
                (200, 100_000),
                (200, 0),
            ]


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"GET / HTTP/1.1\r\nhost"],
        [b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /"],
        [b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx"],
        [b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx", b"x"],
        [b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nx", b"x"],
    ],
    ids=["nothing", "half a head", "half a second head", "half a body", "half a refused body", "a refused body"],
)
async def test_whoever_says_nothing_is_let_go(pieces: list[bytes]) -> None:
    async with connected(patience=1) as client:
        await client.send(*pieces)
        if b"\r\n\r\n" in b"".join(pieces) and not pieces[0].startswith(b"POST / "):
            assert (await client.reply())[0] in (200, 404)
        assert await client.is_let_go()


async def test_a_slow_body_is_waited_for_while_it_comes() -> None:
    async with connected(patience=2) as client:
        await client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n")
        for _ in range(3):
            await asyncio.sleep(0.8)
            await client.send(b"x")
        assert (await client.reply())[2] == b"xxx"


async def test_a_client_that_takes_nothing_is_let_go() -> None:
    async with connected(patience=1) as client, asyncio.timeout(20):
        await client.send(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n")
        await client.dialect.over.wait()
        assert client.dialect.given < 100
        with suppress(ConnectionResetError):
            while await client.reader.read(1024 * 1024):
                pass


async def test_a_client_that_takes_its_time_gets_everything_it_asks_for() -> None:
    async with connected(patience=1) as client, asyncio.timeout(60):
        await client.send(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n")
        began = asyncio.get_running_loop().time()
        taken = 0
        # Half as long again as the patience, without ever waiting for that long.
        while asyncio.get_running_loop().time() - began < 1.5:
            taken += len(await client.reader.read(64 * 1024))
            await asyncio.sleep(0.01)
        assert not client.dialect.over.is_set()
        given = client.dialect.given
        assert given < taken / 1024 / 1024 + 40, "no more is made than is taken"


async def test_nothing_is_made_for_a_client_that_has_gone() -> None:
    async with connected() as client, asyncio.timeout(20):
        await client.send(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n")
        await client.reader.read(64 * 1024)
        client.writer.transport.abort()
        await client.dialect.over.wait()
        assert client.dialect.given < 100
