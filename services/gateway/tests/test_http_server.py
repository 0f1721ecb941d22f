"""The server on a real socket: drain, inherited socket, bodies that are too large, what is not HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import httpx
import orjson
import pytest
import pytest_asyncio
from gateway.entrypoints.http.app import Surface, build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.exchange import Call, Headers, Reply
from gateway.entrypoints.http.openai.refusals import HEAD_TOO_LARGE, MALFORMED
from gateway.entrypoints.http.server import HttpServer


class Slow:
    """A dialect that answers when it is told to."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.asked = asyncio.Event()

    async def tenant_of(self, _headers: Headers) -> str:
        return "tenant"

    def refuse(self, error: Exception, _method: str, _path: str) -> Reply:
        raise error

    async def at_once(self, _call: Call) -> Reply:
        return Reply(200, b"{}")

    async def slowly(self, _call: Call) -> Reply:
        self.asked.set()
        await self.let_go.wait()
        return Reply(200, b"{}")


@asynccontextmanager
async def serving(farewell: float = 5.0, **address: Any) -> AsyncIterator[tuple[HttpServer, Slow]]:
    draining, app = Draining(), Slow()
    surface = Surface(app, [("/", {"GET": app.at_once}), ("/slow", {"GET": app.slowly})])
    server = HttpServer(
        build_app([surface], largest_body=1024, draining=draining),
        **({"host": "127.0.0.1", "port": 0, "listen_fd": None} | address),
        draining=draining,
        malformed=MALFORMED,
        head_too_large=HEAD_TOO_LARGE,
        farewell=farewell,
    )
    await server.start()
    try:
        yield server, app
    finally:
        app.let_go.set()
        await server.stop()


class Connection:
    """One connection that is kept, until the test ends or closes it."""

    opened: ClassVar[list["Connection"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.opened.append(self)

    @classmethod
    async def to(cls, port: int) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, text: str) -> None:
        self.writer.write(text.encode())
        await self.writer.drain()

    async def reply(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        await self.send(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
        return await self.reply()

    async def closed(self) -> bool:
        return await self.reader.read() == b""


@pytest_asyncio.fixture(autouse=True)
async def close_connections() -> AsyncIterator[None]:
    yield
    for connection in Connection.opened:
        await connection.close()
    Connection.opened.clear()


async def test_draining_answers_whoever_is_connected_and_lets_nobody_in() -> None:
    async with serving() as (server, app):
        idle, busy = await Connection.to(server.port), await Connection.to(server.port)
        await idle.get("/")
        waiting = asyncio.create_task(busy.get("/slow"))
        await app.asked.wait()

        stopping = asyncio.create_task(server.stop())
        while True:
            try:
                await (await Connection.to(server.port)).close()
            except ConnectionError:
                break
        status, headers, _ = await idle.get("/")
        assert (status, headers["connection"]) == (200, "close")
        assert await idle.closed()
        assert not stopping.done(), "a request is in flight"
        app.let_go.set()
        assert (await waiting)[0] == 200
        assert await busy.closed()
        await stopping


async def test_idle_connections_are_closed_after_the_farewell() -> None:
    async with serving(farewell=0.05) as (server, _):
        idle = await Connection.to(server.port)
        await idle.get("/")
        await server.stop()
        assert await idle.closed()
        await server.stop()


async def test_stopping_does_not_wait_where_nobody_is() -> None:
    async with serving(farewell=60) as (server, _), asyncio.timeout(5):
        await server.stop()


async def test_several_servers_share_one_inherited_socket() -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    port = listener.getsockname()[1]
    first, second = (serving(farewell=0.05, listen_fd=listener.dup().detach()) for _ in range(2))
    async with second as (server, _):
        async with first as (other, _):
            assert (server.port, other.port) == (port, port)
            for _ in range(5):
                assert (await (await Connection.to(port)).get("/"))[0] == 200
        for _ in range(5):
            connection = await Connection.to(port)
            assert (await connection.get("/"))[0] == 200, "one has stopped, the other serves on"
    listener.close()


async def test_a_taken_address_is_an_error() -> None:
    async with serving() as (server, _):
        with pytest.raises(OSError, match=f"127.0.0.1:{server.port} .*in use.*THREADWORKS_PORT"):
            async with serving(port=server.port):
                pass


async def test_what_is_not_http_gets_the_envelope() -> None:
    async with serving() as (server, _):
        for line in ("NONSENSE\r\n\r\n", "GET / HTTP/1.1\r\nhost x\r\n\r\n", "GET /\xff HTTP/1.1\r\n\r\n"):
            connection = await Connection.to(server.port)
            connection.writer.write(line.encode("latin-1"))
            status, headers, body = await connection.reply()
            assert (status, headers["content-type"]) == (400, "application/json")
            assert orjson.loads(body)["error"]["type"] == "invalid_request_error"
            assert await connection.closed()


@asynccontextmanager
async def the_real_app(app: Any) -> AsyncIterator[int]:
    server = HttpServer(
        app,
        host="127.0.0.1",
        port=0,
        listen_fd=None,
        draining=Draining(),
        malformed=MALFORMED,
        head_too_large=HEAD_TOO_LARGE,
        farewell=0.05,
    )
    await server.start()
    yield server.port
    await server.stop()


async def test_twenty_megabytes(app: Any, caller: Any) -> None:
    before = await caller.rows()
    async with the_real_app(app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1") as http:
        headers = {"authorization": f"Bearer {caller.key}", "content-type": "application/json"}
        body = orjson.dumps({"messages": [{"role": "user", "content": "x" * 20 * 1024 * 1024}]})
        refused = await http.post("/threads", content=body, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(320):
                yield b"x" * 65536

        refused = await http.post("/threads", content=endless(), headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")
        assert (await http.post("/threads", headers=headers)).status_code == 200, "the next one is served"
    rows = await caller.rows()
    assert rows == {**before, "threads": before["threads"] + 1}


async def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(app: Any, caller: Any) -> None:
    async with the_real_app(app) as port:
        for expect in ("", "expect: 100-continue\r\n"):
            connection = await Connection.to(port)
            await connection.send(
                f"POST /v1/threads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {caller.key}\r\n{expect}"
                f"content-length: {20 * 1024 * 1024}\r\n\r\n"
            )
            async with asyncio.timeout(1):
                status, headers, _ = await connection.reply()
            assert (status, headers["connection"]) == (413, "close")
            await connection.close()


async def test_a_client_that_goes_away_in_the_middle_of_its_body(app: Any, caller: Any) -> None:
    before = await caller.rows()
    async with the_real_app(app) as port:
        connection = await Connection.to(port)
        await connection.send(
            f"POST /v1/threads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {caller.key}\r\n"
            "content-length: 100\r\n\r\n{"
        )
        await connection.close()
        again = await Connection.to(port)
        assert (await again.get("/v1/nothing"))[0] == 404
    assert await caller.rows() == before
