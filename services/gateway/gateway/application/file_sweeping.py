"""Deletes the bytes that are nobody's: of uploads and deletions that something interrupted, and of files whose time is
over. Every gateway does it, every minute; they do not get in each other's way. Started and stopped by the service."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from run_engine.errors import DatabaseUnavailable

from gateway.application.file_ports import FileBytes, FileRows
from gateway.application.files import delete_bytes

log = structlog.get_logger(__name__)

TICK: Final = 60.0
"""Seconds between two sweeps. Nobody waits for them: a file ends for its readers when its time is over."""
_ROUNDS: Final = 20


class FileSweeping:
    """Sweeps from `start()` to `stop()`."""

    def __init__(
        self, rows: FileRows, stored: FileBytes, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._rows = rows
        self._stored = stored
        self._pause = pause
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="file sweeping")

    async def stop(self) -> None:
        """End, also in the middle: every step of it may be done again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def sweep(self) -> int:
        """Do one round; return how many keys' bytes were deleted. Raises `DatabaseUnavailable`."""
        deleted = 0
        for _ in range(_ROUNDS):
            expired = await self._rows.expire()
            keys = await self._rows.take_free()
            for key in keys:
                deleted += await delete_bytes(self._rows, self._stored, key)
            if not expired and not keys:
                break
        return deleted

    async def _run(self) -> None:
        while True:
            await self._pause(TICK)
            try:
                deleted = await self.sweep()
            except DatabaseUnavailable:
                log.warning("files are not swept: the database is away", action="file_sweep_failed")
            except Exception as error:  # noqa: BLE001 - the next round must not depend on this one
                log.error("a sweep of files failed", action="file_sweep_fault", error=type(error).__name__)
            else:
                if deleted:
                    log.info("deleted bytes that were nobody's", action="files_swept", count=deleted)
