"""What the supervisor looks after: anything that starts, may exit, and stops."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from threadworks.local_servers.server_process import ServerProcess


class PartStartError(Exception):
    """A part did not come up; the message names it and its log file."""


class Part(Protocol):
    """One process, or a local server around one."""

    @property
    def name(self) -> str:
        """For people: `gateway-1`."""
        ...

    async def start(self) -> None:
        """Returns when the part does its work. Raises when it cannot."""
        ...

    async def exited(self) -> int:
        """Returns when the process behind it has ended, with its exit code."""
        ...

    async def stop(self) -> None:
        """Ends it in order. Idempotent."""
        ...


class LocalServer(Protocol):
    """PostgreSQL or Kafka, as `threadworks.local_servers` starts them."""

    @property
    def process(self) -> ServerProcess | None:
        """The running server."""
        ...

    async def start(self) -> None:
        """Returns when it answers."""
        ...

    async def stop(self) -> None:
        """Ends it."""
        ...


class LocalServerPart:
    """A local server as a part."""

    def __init__(self, name: str, server: LocalServer) -> None:
        self.name = name
        self._server = server

    async def start(self) -> None:
        """Starts the server; after a crash, again on its data."""
        await self._server.start()

    async def exited(self) -> int:
        """Waits for the server to end."""
        process = self._server.process
        return 0 if process is None else await process.exited()

    async def stop(self) -> None:
        """Ends it in order."""
        await self._server.stop()


class ServicePart:
    """One of our own programs, `python -m MODULE`, in a session of its own and with a log file of its own.

    `ready` returns once the program does its work; it is abandoned when the program ends first.
    """

    def __init__(
        self,
        name: str,
        module: str,
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str],
        log_file: Path,
        ready: Callable[[], Awaitable[None]],
        stop_seconds: float,
        keep_open: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = environment
        self._log_file = log_file
        self._ready = ready
        self._stop_seconds = stop_seconds
        self._keep_open = tuple(keep_open)
        self._process: ServerProcess | None = None

    async def start(self) -> None:
        """Starts the program and waits until it is ready. Raises `PartStartError` when it ends before."""
        self._process = process = ServerProcess(
            self._command,
            log_file=self._log_file,
            working_directory=Path.cwd(),
            environment={**os.environ, **self._environment},
            # A supervisor that was killed must leave nothing behind, and its services may still hand back their runs.
            death_signal=signal.SIGTERM,
            keep_open=self._keep_open,
        )
        ready = asyncio.ensure_future(self._ready())
        ended = asyncio.ensure_future(process.exited())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                raise PartStartError(f"{self.name} ended with exit code {ended.result()}: see {self._log_file}")
            ready.result()
        finally:
            for task in (ready, ended):
                task.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)

    async def exited(self) -> int:
        """Waits for the program to end."""
        return 0 if self._process is None else await self._process.exited()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL only after the time that the program's own drain may take."""
        if self._process is not None:
            await self._process.stop(signal.SIGTERM, grace=self._stop_seconds)
            self._process = None
