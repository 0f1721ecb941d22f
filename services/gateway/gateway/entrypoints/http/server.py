"""The HTTP server: listens on an address or on an inherited socket, and drains when it is told to stop.

Built on uvicorn, which would take the process's signals and stop by closing idle connections under requests that are
on their way. Here the process belongs to `__main__` (or to `threadworks run`), and stopping has three steps: nobody new
is let in; for two seconds whoever is connected still gets answers, each with `Connection: close`; then idle connections
are closed and requests in flight are finished, up to a minute.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from gateway.entrypoints.http.connection import connection_type
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.exchange import Reply
from gateway.entrypoints.http.sockets import LARGEST_MESSAGE

FAREWELL_SECONDS: Final = 2.0
FINISH_SECONDS: Final = 60
_BACKLOG: Final = 2048
_PATIENCE_SECONDS: Final = 75
"""How long the next bytes of a client are waited for. Longer than clients keep a connection idle, so that they close it
and not we under their next request."""


class HttpServer:
    """Serves `app` from `start()` to `stop()`; port 0 chooses a free one.

    `malformed` and `head_too_large` are the replies to what never becomes a request. `sockets`: whether there are
    websockets. `patience`: seconds until a client that says nothing is let go.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        listen_fd: int | None,
        draining: Draining,
        malformed: Reply,
        head_too_large: Reply,
        sockets: bool = False,
        farewell: float = FAREWELL_SECONDS,
        patience: int = _PATIENCE_SECONDS,
    ) -> None:
        self._address = (host, port)
        self._listen_fd = listen_fd
        self._draining = draining
        self._farewell = farewell
        self._server = _Server(
            uvicorn.Config(
                app,
                http=connection_type(malformed=malformed, head_too_large=head_too_large),
                ws=_WebSocket if sockets else "none",
                ws_max_size=LARGEST_MESSAGE,
                # A token a frame: there is nothing to compress, and it costs memory for each connection.
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=patience,
                timeout_graceful_shutdown=FINISH_SECONDS,
            )
        )
        self._listener: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened on, after `start()`."""
        return self._address[1]

    async def start(self) -> asyncio.Task[None]:
        """Listen, and return the task that serves; it ends only when it failed or was stopped. Raises OSError."""
        self._listener = self._listen()
        self._listener.setblocking(False)
        self._address = self._listener.getsockname()[:2]
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="http")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        return self._serving

    async def stop(self) -> None:
        """Drain and stop. Safe to call twice, or when the start failed."""
        self._draining.begin()
        if self._serving is None or self._listener is None:
            return
        self._server.stop_listening()
        self._listener.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._farewell):
                await self._server.deserted()
        self._server.should_exit = True
        await self._serving
        self._serving = None

    def _listen(self) -> socket.socket:
        if self._listen_fd is not None:
            return socket.socket(fileno=self._listen_fd)
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        # The protocol is named because asyncio sets TCP_NODELAY on connections only then; without it a reply, whose
        # head and body are two writes, waits 40 ms for the client's delayed acknowledgement.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self._address)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            host, port = self._address
            message = (
                f"{host}:{port} cannot be listened on ({error.strerror}): set THREADWORKS_HOST or THREADWORKS_PORT"
            )
            raise OSError(message) from error
        return listener


class _WebSocket(WebSocketsSansIOProtocol):
    def data_received(self, data: bytes) -> None:
        """Refuse a head that is not understood; uvicorn would wait for another one, for ever."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """Refuse a text that is none, with code 1007; uvicorn would log it as an error of the server, with a trace."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.conn.send_close(CloseCode.INVALID_DATA)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        """Send, and know of a refusal that was sent; uvicorn would log each as an error of the server."""
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True

    def shutdown(self) -> None:
        """Leave the end to `sockets`, which finishes what it says; uvicorn would close in the middle of a word."""
        if self.close_sent or not self.handshake_complete:
            super().shutdown()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals: they belong to the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def stop_listening(self) -> None:
        """Let nobody new in."""
        for server in self.servers:
            server.close()

    async def deserted(self) -> None:
        """Return when nobody is connected any more."""
        while self.server_state.connections:  # noqa: ASYNC110 - uvicorn tells nobody when one of them ends
            await asyncio.sleep(0.05)
