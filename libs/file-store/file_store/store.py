"""Puts, gets and deletes bytes by key, as streams. Opened by `location`; used by the gateway and the orchestrator."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from file_store.errors import BytesMissing, FileStoreUnavailable

PIECE: Final = 2 * 1024 * 1024
"""Bytes that a reader holds at once: few enough for many slow readers, enough for few requests to S3."""
_PART: Final = 8 * 1024 * 1024
"""Bytes of one part of a multipart upload. S3 takes 5 MiB to 5 GiB, and at most 10 000 parts."""
_PARTS_AT_ONCE: Final = 2
"""So one upload holds about three parts in memory."""
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_ERRORS: Final = (BaseError, OSError, ValueError)
"""What obstore raises: its own, and Python's for missing files and values that it cannot use."""


class FileStore:
    """Bytes by key. A key is made of letters, digits, `-`, `_` and `/`, and is written once.

    Everything raises `FileStoreUnavailable` while the store does not work.
    """

    def __init__(self, store: ObjectStore, *, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder
        """Where the bytes are, for a local store."""

    async def put(self, key: str, pieces: AsyncIterator[bytes]) -> None:
        """Store all of `pieces` under `key`. Nobody sees any of it before all of it is there, on disk.

        What `pieces` raises is raised here, and leaves nothing behind.
        """
        source = _Source(pieces)
        try:
            await obstore.put_async(
                self._store, key, source.pieces(), chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE, use_multipart=True
            )
            if self._folder is not None:
                await asyncio.to_thread(_make_durable, self._folder / key)
        except _ERRORS as error:
            if error is source.error:
                raise
            raise _unavailable(error) from None

    async def pieces(self, key: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Give the bytes from `start` up to and without `end`, at most `PIECE` at once, as fast as they are taken.

        Raises `BytesMissing`. Each piece is a request of its own: a slow reader keeps no connection to the store.
        """
        while start < end:
            piece = await self._range(key, start, min(end, start + PIECE))
            start += len(piece)
            yield piece

    async def read(self, key: str, length: int) -> bytes:
        """Return the first `length` bytes of at least so many. Raises `BytesMissing`."""
        return await self._range(key, 0, length) if length else b""

    async def delete(self, key: str) -> None:
        """Delete the bytes under `key`, and what an upload that was cut off left there. None is no error."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            pass
        except _ERRORS as error:
            raise _unavailable(error) from None
        if self._folder is not None:
            await asyncio.to_thread(_remove_unfinished, self._folder / key)

    async def _range(self, key: str, start: int, end: int) -> bytes:
        try:
            return bytes(await obstore.get_range_async(self._store, key, start=start, end=end))
        except FileNotFoundError:
            raise BytesMissing(key) from None
        except _ERRORS as error:
            raise _unavailable(error) from None


class _Source:
    """Remembers what its pieces raised: it may be of a kind that obstore raises too."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.error: BaseException | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._pieces:
                yield piece
        except BaseException as error:
            self.error = error
            raise


def _unavailable(error: Exception) -> FileStoreUnavailable:
    code = _CODE.search(str(error))
    return FileStoreUnavailable(type(error).__name__ + (f" ({code[1]})" if code else ""))


def _make_durable(path: Path) -> None:
    """Wait until a file and its name are on disk: its row will be, and a row without its bytes is a lost file."""
    for each in (path, path.parent, path.parent.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_unfinished(path: Path) -> None:
    # obstore writes to `<name>#<number>` and renames; a process that was killed leaves that behind.
    for left in path.parent.glob(f"{path.name}#*"):
        left.unlink(missing_ok=True)
