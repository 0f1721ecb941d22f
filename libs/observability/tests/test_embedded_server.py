"""The server inside a loop: connections are set up for small replies, and what goes wrong at the start is raised."""

import asyncio
import socket
from typing import Any

import pytest
import uvicorn
from observability import EmbeddedServer


async def answer(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


class RecordingProtocol(asyncio.Protocol):
    """Notes the TCP_NODELAY of the connections that the server accepts."""

    no_delay: "asyncio.Future[int]"

    def __init__(self, **_uvicorn: Any) -> None:
        pass

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = transport.get_extra_info("socket")
        self.no_delay.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        transport.close()


async def test_connections_do_not_wait_for_acknowledgements() -> None:
    RecordingProtocol.no_delay = asyncio.get_running_loop().create_future()
    server = EmbeddedServer(answer, host="127.0.0.1", port=0, protocol=RecordingProtocol)
    await server.start()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    assert await RecordingProtocol.no_delay != 0
    writer.close()
    await server.stop()


async def test_ipv6_is_served_too() -> None:
    server = EmbeddedServer(answer, host="::1", port=0, server_header="probe")
    await server.start()
    reader, writer = await asyncio.open_connection("::1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    reply = await reader.read()
    writer.close()
    await server.stop()
    assert reply.startswith(b"HTTP/1.1 204")
    assert b"server: probe\r\n" in reply


async def test_a_request_in_flight_is_finished_before_the_stop() -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def held(scope: Any, receive: Any, send: Any) -> None:
        entered.set()
        await leave.wait()
        await answer(scope, receive, send)

    server = EmbeddedServer(held, host="127.0.0.1", port=0)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await entered.wait()
    stopping = asyncio.create_task(server.stop())
    # The listener closes first; only then the request may end, or nothing would be shown.
    while True:
        try:
            _, other = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            break
        other.close()
        await asyncio.sleep(0.01)
    assert not stopping.done()
    leave.set()
    assert (await reader.read()).startswith(b"HTTP/1.1 204")
    writer.close()
    await stopping


async def test_a_server_that_cannot_start_raises_instead_of_ending_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_config: uvicorn.Config) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(uvicorn.Config, "load", broken)
    server = EmbeddedServer(answer, host="127.0.0.1", port=0)
    with pytest.raises(RuntimeError, match="broken"):
        await server.start()
