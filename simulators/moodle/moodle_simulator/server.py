"""Runs the simulator inside a process: the demo, the tests and `python -m moodle_simulator` use this one class."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Generator

import uvicorn

from moodle_simulator.app import create_app
from moodle_simulator.recordings import Recordings
from moodle_simulator.script import Script

log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process it lives in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class MoodleSimulator:
    """A Moodle simulator on a port of its own.

    `port` 0 takes a free one. `base_url` is known after `start`; `script` is the simulator's `Script`.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, recordings: Recordings | None = None) -> None:
        self._host, self._port = host, port
        app = create_app(recordings)
        self.script: Script = app.state.script
        # No access log: a GET carries its token in the address.
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=2
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    @property
    def base_url(self) -> str:
        """The address to use as THREADWORKS_MOODLE_BASE_URL, without a slash at its end."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Returns once requests are answered; raises OSError if the port is taken."""
        # The protocol is named because asyncio sets TCP_NODELAY only then; without it each answer takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
            listener.listen(128)
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="moodle-simulator")
        log.info("Moodle SIMULATOR at %s: it replays recorded replies and is not a Moodle", self.base_url)

    async def stop(self) -> None:
        """Answer what is waiting and stop. Idempotent."""
        if self._serving is None:
            return
        await self.script.release()
        self._server.should_exit = True
        await self._serving
        self._serving = None
