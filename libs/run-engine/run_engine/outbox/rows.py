"""Outbox rows in PostgreSQL, for the relay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from run_engine.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One committed event that is not published yet."""

    id: int
    event_id: UUID
    producer: str
    """The process that committed it, whoever publishes it."""
    tenant_id: str
    thread_id: str
    run_id: str | None
    seq: int | None
    attempt: int | None
    type: str
    subject: str
    data: dict[str, Any]
    created_at: datetime
    traceparent: str | None = None
    """The trace that the commit belonged to."""


_FIELDS = tuple(OutboxRow.__dataclass_fields__)


class OutboxTable:
    """Reads and deletes rows; holds no lock in between."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unpublished(self, ids: Sequence[int]) -> Sequence[OutboxRow]:
        """Those of `ids` that are still there, and all older rows of their threads, in the order of publication."""
        found = await self._database.all("unpublished", ids=ids)
        return [OutboxRow(**{name: row[name] for name in _FIELDS}) for row in found]

    async def owned(self, owner: str, limit: int) -> Sequence[int]:
        """The oldest ids that a process still has to publish."""
        return [row["id"] for row in await self._database.all("owned", owner=owner, limit=limit)]

    async def delete(self, ids: Sequence[int]) -> None:
        """Forgets published rows."""
        await self._database.all("delete_published", ids=ids)

    async def reject(self, row_id: int, reason: str) -> None:
        """Sets a row aside that can never be published."""
        await self._database.all("reject", id=row_id, reason=reason)
