"""Files in PostgreSQL: what is known of them besides their bytes, what they may take, and which bytes are nobody's.

The gateway's `application.files` calls these in the order that leaves no bytes forgotten (see 0004_files.sql): reserve,
write the bytes, extend meanwhile, create; or delete the row, delete the bytes, forget.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Final

from run_engine.domain.drafts import Page, PageRequest
from run_engine.domain.files import File, NewFile
from run_engine.errors import FileQuotaExceeded, NotFound, UploadGivenUp
from run_engine.store.database import Database, Row
from run_engine.store.paging import fetch_page

UPLOAD_LEASE: Final = timedelta(minutes=30)
"""How long an upload is let live after it was last extended."""
DELETION_LEASE: Final = timedelta(minutes=5)
"""How long whoever took bytes to delete them is left alone with that."""
BATCH: Final = 100
"""Files that one sweep takes at the most."""
_FIELDS: Final = tuple(field.name for field in fields(File))


class Files:
    """The files of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, tenant_id: str, storage_key: str, size: int) -> None:
        """Begins an upload under a new key, and counts `size` bytes for it. Raises `FileQuotaExceeded`."""
        if (
            await self._database.one(
                "reserve_file", tenant_id=tenant_id, storage_key=storage_key, bytes=size, lease=UPLOAD_LEASE
            )
            is None
        ):
            raise FileQuotaExceeded

    async def extend(self, tenant_id: str, storage_key: str, size: int) -> None:
        """Counts `size` bytes more for an upload that lives. Raises `FileQuotaExceeded` and `UploadGivenUp`."""
        row = await self._database.row(
            "extend_file", tenant_id=tenant_id, storage_key=storage_key, bytes=size, lease=UPLOAD_LEASE
        )
        if not row["alive"]:
            raise UploadGivenUp
        if not row["counted"]:
            raise FileQuotaExceeded

    async def create(self, tenant_id: str, storage_key: str, draft: NewFile) -> File:
        """Makes a file of an upload whose bytes are all stored. Raises `UploadGivenUp`."""
        row = await self._database.one(
            "create_file",
            tenant_id=tenant_id,
            storage_key=storage_key,
            id=draft.id,
            bytes=draft.bytes,
            filename=draft.filename,
            purpose=draft.purpose,
            expires_after=draft.expires_after,
        )
        if row is None:
            raise UploadGivenUp
        return _file(row)

    async def give_up(self, tenant_id: str, storage_key: str) -> bool:
        """Whether the bytes under a key may be deleted now: no file can come of them any more, and none has."""
        given_up = await self._database.one(
            "doom_file", tenant_id=tenant_id, storage_key=storage_key, lease=DELETION_LEASE
        )
        return given_up is not None

    async def get(self, tenant_id: str, file_id: str) -> File:
        """Raises `NotFound`."""
        row = await self._database.one("get_file", tenant_id=tenant_id, id=file_id)
        if row is None:
            raise NotFound("file", file_id)
        return _file(row)

    async def list(self, tenant_id: str, request: PageRequest, purpose: str | None = None) -> Page[File]:
        """One page, of one purpose or of all. Raises `NotFound` for a cursor that names no file."""
        database = self._database
        return await fetch_page(
            request,
            kind="file",
            place_of=lambda cursor: database.one("place_of_file", tenant_id=tenant_id, id=cursor),
            rows_between=lambda bounds: database.all("list_files", tenant_id=tenant_id, purpose=purpose, **bounds),
            build=_file,
        )

    async def unknown(self, tenant_id: str, file_ids: Sequence[str]) -> Sequence[str]:
        """Those of the ids that no file has, in their order."""
        found = await self._database.all("unknown_files", tenant_id=tenant_id, ids=list(file_ids))
        return [row["id"] for row in found]

    async def delete(self, tenant_id: str, file_id: str) -> str | None:
        """Deletes a file; gives the key of its bytes, which are to be deleted next. Raises `NotFound`."""
        row = await self._database.one("delete_file", tenant_id=tenant_id, id=file_id, lease=DELETION_LEASE)
        if row is None:
            raise NotFound("file", file_id)
        key: str | None = row["storage_key"]
        return key

    async def forget(self, storage_key: str) -> None:
        """The bytes under this key have been deleted: they count no more."""
        await self._database.all("forget_loose_file", storage_key=storage_key)

    async def expire(self) -> int:
        """Deletes files whose time is over; gives how many. Their bytes are free to be taken."""
        row = await self._database.row("expire_files", limit=BATCH)
        count: int = row["count"]
        return count

    async def take_free(self) -> Sequence[str]:
        """Keys whose bytes are nobody's, to be deleted by the caller and then forgotten."""
        found = await self._database.all("free_loose_files", limit=BATCH, lease=DELETION_LEASE)
        return [row["storage_key"] for row in found]


def _file(row: Row) -> File:
    return File(**{name: row[name] for name in _FIELDS})
