"""Files: from the pieces of an upload to a file, and back. Used by the dialects.

The order is what keeps bytes from being forgotten or lost, whatever dies in between: the key of an upload is written
down before its bytes, the file after them; a file is deleted before its bytes, and their key is forgotten last. What is
left of an upload or of a deletion that did not come to its end is finished by `file_sweeping`.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Final, Self
from uuid import UUID, uuid4

import structlog
from file_store import BytesMissing, FileStoreUnavailable
from run_engine.domain.drafts import Page, PageRequest
from run_engine.domain.files import File, NewFile
from run_engine.errors import DatabaseUnavailable, FileQuotaExceeded, UploadGivenUp

from gateway.application.file_ports import FileBytes, FileRows

log = structlog.get_logger(__name__)

STEP: Final = 8 * 1024 * 1024
"""Bytes that an upload is counted for at a time, before they come."""
RENEWAL: Final = 60.0
"""Seconds after which an upload says that it lives, however slow it is."""


class Files:
    """Upload, read, list and delete. Raises what `FileRows` and `FileBytes` raise."""

    def __init__(
        self,
        rows: FileRows,
        stored: FileBytes,
        *,
        new_key: Callable[[], UUID] = uuid4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = rows
        self._stored = stored
        self._new_key = new_key
        self._clock = clock

    def upload(self, tenant_id: str) -> "Upload":
        """Begin an upload: a context manager, after which nothing is left of it unless it was finished."""
        number = self._new_key().hex
        # Two levels, because some file systems are slow with a million names in one folder.
        return Upload(self._rows, self._stored, tenant_id, f"{number[:2]}/{number}", self._clock)

    async def get(self, tenant_id: str, file_id: str) -> File:
        """Read one."""
        return await self._rows.get(tenant_id, file_id)

    async def list(self, tenant_id: str, request: PageRequest, purpose: str | None) -> Page[File]:
        """Read one page."""
        return await self._rows.list(tenant_id, request, purpose)

    async def content(self, file: File, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Return the bytes of a file from `start` up to and without `end`; the first of them are there already.

        Raises `BytesMissing`.
        """
        if file.storage_key is None:
            raise BytesMissing(file.id)
        pieces = self._stored.pieces(file.storage_key, start, end)
        first = await anext(pieces, b"")
        return _begun(first, pieces)

    async def delete(self, tenant_id: str, file_id: str) -> None:
        """Delete one, and its bytes."""
        key = await self._rows.delete(tenant_id, file_id)
        if key is not None:
            await delete_bytes(self._rows, self._stored, key)


class Upload:
    """The bytes of one file on their way."""

    def __init__(self, rows: FileRows, stored: FileBytes, tenant_id: str, key: str, clock: Callable[[], float]) -> None:
        self._rows = rows
        self._stored = stored
        self._tenant_id = tenant_id
        self._key = key
        self._clock = clock
        self._size = 0
        self._counted = 0
        self._extended_at = 0.0
        self._reserved = False
        self._finished = False

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    async def write(self, pieces: AsyncIterator[bytes]) -> None:
        """Store all of `pieces`, once. Raises what they raise, `FileQuotaExceeded` and `UploadGivenUp`."""
        await self._rows.reserve(self._tenant_id, self._key, 0)
        self._reserved = True
        self._extended_at = self._clock()
        await self._stored.put(self._key, self._measured(pieces))

    async def finish(self, draft: NewFile) -> File:
        """Make it a file. Raises `UploadGivenUp`."""
        made = await self._rows.create(self._tenant_id, self._key, draft)
        self._finished = True
        return made

    async def _measured(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self._size += len(piece)
            if self._size > self._counted:
                await self._count()
            elif self._clock() - self._extended_at > RENEWAL:
                await self._extend(0)
            yield piece

    async def _count(self) -> None:
        needed = self._size - self._counted
        try:
            await self._extend(max(STEP, needed))
        except FileQuotaExceeded:
            # There may be room for what there is, though not for a whole step.
            await self._extend(needed)

    async def _extend(self, size: int) -> None:
        await self._rows.extend(self._tenant_id, self._key, size)
        self._counted += size
        self._extended_at = self._clock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._reserved or self._finished:
            return
        try:
            given_up = await self._rows.give_up(self._tenant_id, self._key)
        except DatabaseUnavailable:
            return
        # Where `finish` failed, it may still have been committed: then there is a file, and its bytes stay. But where
        # the upload had been given up, as by a machine that slept, its bytes may have come after they were deleted.
        if given_up or kind is UploadGivenUp:
            await delete_bytes(self._rows, self._stored, self._key)


async def delete_bytes(rows: FileRows, stored: FileBytes, key: str) -> bool:
    """Delete bytes that are nobody's, and forget their key. Whether that was possible; if not, it is tried again."""
    try:
        await stored.delete(key)
        await rows.forget(key)
    except (FileStoreUnavailable, DatabaseUnavailable) as error:
        log.warning("bytes could not be deleted yet", action="bytes_not_deleted", error=str(error))
        return False
    return True


async def _begun(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece
