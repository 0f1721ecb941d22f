"""What the gateway needs of the world for files: what is known of them, and their bytes. Tests bring their own."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

from run_engine.domain.drafts import Page, PageRequest
from run_engine.domain.files import File, NewFile


class FileRows(Protocol):
    """What is known of files besides their bytes. A key stands for the bytes of one upload."""

    async def reserve(self, tenant_id: str, storage_key: str, size: int) -> None:
        """Begin an upload. Raises `FileQuotaExceeded`."""
        ...

    async def extend(self, tenant_id: str, storage_key: str, size: int) -> None:
        """Count more bytes for an upload. Raises `FileQuotaExceeded` and `UploadGivenUp`."""
        ...

    async def create(self, tenant_id: str, storage_key: str, draft: NewFile) -> File:
        """Make a file of an upload. Raises `UploadGivenUp`."""
        ...

    async def give_up(self, tenant_id: str, storage_key: str) -> bool:
        """Whether the bytes under a key may be deleted: no file can come of them any more, and none has."""
        ...

    async def get(self, tenant_id: str, file_id: str) -> File:
        """Read one. Raises `NotFound`."""
        ...

    async def list(self, tenant_id: str, request: PageRequest, purpose: str | None = None) -> Page[File]:
        """Read one page. Raises `NotFound` for the cursor."""
        ...

    async def unknown(self, tenant_id: str, file_ids: Sequence[str]) -> Sequence[str]:
        """Those of the ids that no file has."""
        ...

    async def delete(self, tenant_id: str, file_id: str) -> str | None:
        """Delete a file; return the key of its bytes. Raises `NotFound`."""
        ...

    async def forget(self, storage_key: str) -> None:
        """The bytes under a key are gone."""
        ...

    async def expire(self) -> int:
        """Delete some files whose time is over."""
        ...

    async def take_free(self) -> Sequence[str]:
        """Take keys whose bytes are nobody's, to delete them."""
        ...


class FileBytes(Protocol):
    """The bytes of files, by key. Everything raises `FileStoreUnavailable`."""

    async def put(self, key: str, pieces: AsyncIterator[bytes]) -> None:
        """Store all pieces, or nothing. Raises what they raise."""
        ...

    def pieces(self, key: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Give bytes as they are taken. Raises `BytesMissing`."""
        ...

    async def delete(self, key: str) -> None:
        """Delete what is there."""
        ...
