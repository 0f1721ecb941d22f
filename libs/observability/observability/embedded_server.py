"""A uvicorn server inside a running event loop: `OpsServer` and the simulators are built on it.

`uvicorn.run` owns the process: it takes the signals, the logging and the loop. Here the process belongs to the
service's `__main__`, so the server only listens, and stops when it is told to.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

_BACKLOG = 2048


class EmbeddedServer:
    """Serves one ASGI application on host:port from `start()` to `stop()`; port 0 chooses a free one.

    `drain_seconds`: how long `stop()` lets requests in flight finish before it cancels them. `keep_alive_seconds`: how
    long an idle connection stays open; keep it above what clients use, else they meet closed connections.
    `server_header`: the value of the `Server` header, none when None. The application gets no lifespan events: who
    starts this server also starts what the application needs.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        drain_seconds: int = 5,
        keep_alive_seconds: int = 75,
        server_header: str | None = None,
        protocol: type[asyncio.Protocol] | Literal["httptools"] = "httptools",
    ) -> None:
        self._host = host
        self._port = port
        self._config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=[("server", server_header)] if server_header else None,
            timeout_keep_alive=keep_alive_seconds,
            timeout_graceful_shutdown=drain_seconds,
        )
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port: after `start()` the real one, also when 0 was asked for."""
        return self._port

    async def start(self) -> None:
        """Listen and return when requests are answered. Raises OSError when the address cannot be bound."""
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        self._server = _Server(self._config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name=f"http:{self._port}")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait((self._serving, listening), return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            listening.cancel()
            listener.close()
            self._serving.result()

    async def stop(self) -> None:
        """Close the listener, let requests in flight finish, close all connections. Safe to call twice."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None


def _listen(host: str, port: int) -> socket.socket:
    """Bind the socket here and not in uvicorn, which ends the whole process when it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY on connections only when the listener names its protocol; without it every reply whose
    # head and body are two writes waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


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
