"""Assistants in PostgreSQL."""

from dataclasses import replace
from typing import Any

from run_engine.domain.assistant_files import with_files
from run_engine.domain.drafts import Changes, NewAssistant, Page, PageRequest
from run_engine.domain.metadata import merged
from run_engine.domain.objects import Assistant
from run_engine.errors import NotFound
from run_engine.store import rows
from run_engine.store.database import Database, Session
from run_engine.store.drafted import assistant_values
from run_engine.store.paging import fetch_page

_CHANGEABLE = tuple(name for name in NewAssistant.__dataclass_fields__ if name != "id")


class Assistants:
    """Create, read, change, list and delete assistants of a tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant_id: str, draft: NewAssistant) -> Assistant:
        """Stores a new assistant."""
        row = await self._database.row("create_assistant", tenant_id=tenant_id, **assistant_values(draft))
        return rows.assistant(row)

    async def ensure(self, tenant_id: str, draft: NewAssistant) -> None:
        """Stores an assistant under its given id unless there is one (the demo's)."""
        await self._database.all("ensure_assistant", tenant_id=tenant_id, **assistant_values(draft))

    async def get(self, tenant_id: str, assistant_id: str) -> Assistant:
        """Raises `NotFound`."""
        row = await self._database.one("get_assistant", tenant_id=tenant_id, id=assistant_id)
        if row is None:
            raise NotFound("assistant", assistant_id)
        return rows.assistant(row)

    async def modify(self, tenant_id: str, assistant_id: str, changes: Changes) -> Assistant:
        """Changes the named fields and no other, metadata as `domain.metadata` says.

        `file_ids` in the place of a field are the assistant's files; its other tool resources stay.

        Raises `NotFound` and `TooMuchMetadata`.
        """
        async with self._database.transaction() as session:
            row = await session.one("lock_assistant", tenant_id=tenant_id, id=assistant_id)
            if row is None:
                raise NotFound("assistant", assistant_id)
            if "metadata" in changes:
                changes = {**changes, "metadata": merged(row["metadata"], changes["metadata"])}
            if "file_ids" in changes:
                resources = with_files(row["tool_resources"], changes["file_ids"])
                changes = {name: value for name, value in changes.items() if name != "file_ids"}
                changes["tool_resources"] = resources
            draft = replace(NewAssistant(id=assistant_id, **{name: row[name] for name in _CHANGEABLE}), **changes)
            changed: Any = await session.one("modify_assistant", tenant_id=tenant_id, **assistant_values(draft))
        return rows.assistant(changed)

    async def delete(self, tenant_id: str, assistant_id: str) -> None:
        """Raises `NotFound`. Runs of the assistant go on with their snapshot."""
        if await self._database.one("delete_assistant", tenant_id=tenant_id, id=assistant_id) is None:
            raise NotFound("assistant", assistant_id)

    async def list(self, tenant_id: str, request: PageRequest) -> Page[Assistant]:
        """One page. Raises `NotFound` for a cursor that names no assistant."""
        database = self._database
        return await fetch_page(
            request,
            kind="assistant",
            place_of=lambda cursor: database.one("place_of_assistant", tenant_id=tenant_id, id=cursor),
            rows_between=lambda bounds: database.all("list_assistants", tenant_id=tenant_id, **bounds),
            build=rows.assistant,
        )


async def require_assistant(database: Database | Session, tenant_id: str, assistant_id: str) -> None:
    """Raises `NotFound` where there is no such assistant. Used by the stores that only name one."""
    if await database.one("get_assistant", tenant_id=tenant_id, id=assistant_id) is None:
        raise NotFound("assistant", assistant_id)
