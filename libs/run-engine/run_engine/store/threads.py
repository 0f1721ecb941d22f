"""Threads in PostgreSQL."""

from collections.abc import Sequence
from typing import Any, Final

from run_engine.domain.drafts import UNSET, NewThread, Page, PageRequest, Unset
from run_engine.domain.metadata import merged
from run_engine.domain.objects import Json, Metadata, Thread
from run_engine.domain.status import RunStatus
from run_engine.errors import NotFound
from run_engine.store import rows
from run_engine.store.assistants import require_assistant
from run_engine.store.database import Database, Row
from run_engine.store.drafted import message_values, participants, senders
from run_engine.store.endings import end_locked_run
from run_engine.store.paging import fetch_page
from run_engine.store.users import require_users
from run_engine.store.writer import Writer

LARGEST_PAGE: Final = 100
"""Threads on a page. The statement of the list counts on it (`list_threads`)."""


class Threads:
    """Create, read, change, list and delete threads of a tenant."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def create(self, tenant_id: str, draft: NewThread) -> Thread:
        """Stores a thread with its participants and its first messages in one commit.

        Raises `NotFound` for participants, senders and the assistant.
        """
        participating, sending = participants(draft), senders(draft.messages)
        while True:
            row = await self._database.one(
                "create_thread",
                owner=self._writer.owner,
                tenant_id=tenant_id,
                thread_id=draft.id,
                metadata=draft.metadata,
                tool_resources=draft.tool_resources,
                title=draft.title,
                assistant_id=draft.assistant_id,
                participants=participating,
                senders=sending,
                messages=message_values(draft.messages),
            )
            if row is not None:
                self._writer.committed(row["outbox_ids"])
                return rows.thread(row)
            await require_users(self._database, tenant_id, [*participating, *sending])
            if draft.assistant_id is not None:
                await require_assistant(self._database, tenant_id, draft.assistant_id)
            # What was missing has come between the statements.

    async def get(self, tenant_id: str, thread_id: str) -> Thread:
        """Raises `NotFound`."""
        row = await self._database.one("get_thread", tenant_id=tenant_id, id=thread_id)
        if row is None:
            raise NotFound("thread", thread_id)
        return rows.thread(row)

    async def modify(
        self,
        tenant_id: str,
        thread_id: str,
        *,
        metadata: Metadata | Unset | None = UNSET,
        tool_resources: Json | Unset | None = UNSET,
        title: str | Unset | None = UNSET,
        assistant_id: str | Unset | None = UNSET,
    ) -> Thread:
        """Changes the given fields, metadata as `domain.metadata` says.

        Raises `NotFound` for thread and assistant, and `TooMuchMetadata`.
        """
        async with self._database.transaction() as session:
            row = await session.one("thread_for_change", tenant_id=tenant_id, id=thread_id)
            if row is None:
                raise NotFound("thread", thread_id)
            if isinstance(assistant_id, str):
                await require_assistant(session, tenant_id, assistant_id)
            changed = await session.row(
                "modify_thread",
                tenant_id=tenant_id,
                id=thread_id,
                metadata=row["metadata"] if isinstance(metadata, Unset) else merged(row["metadata"], metadata),
                tool_resources=row["tool_resources"] if isinstance(tool_resources, Unset) else tool_resources,
                title=row["title"] if isinstance(title, Unset) else title,
                assistant_id=row["assistant_id"] if isinstance(assistant_id, Unset) else assistant_id,
            )
        return rows.thread(changed)

    async def list(self, tenant_id: str, request: PageRequest, metadata: Metadata | None = None) -> Page[Thread]:
        """One page, of those alone whose metadata has all pairs of `metadata`. Raises `NotFound` for the cursor.

        A page has at most LARGEST_PAGE threads; raises ValueError for more.
        """
        database = self._database
        if request.limit > LARGEST_PAGE:
            raise ValueError(f"a page of threads has at most {LARGEST_PAGE}")

        async def rows_between(bounds: dict[str, Any]) -> Sequence[Row]:
            if not metadata:
                return await database.all("list_threads", tenant_id=tenant_id, **bounds)
            return await database.all("search_threads", tenant_id=tenant_id, metadata=metadata, **bounds)

        return await fetch_page(
            request,
            kind="thread",
            place_of=lambda cursor: database.one("place_of_thread", tenant_id=tenant_id, id=cursor),
            rows_between=rows_between,
            build=rows.thread,
        )

    async def delete(self, tenant_id: str, thread_id: str) -> None:
        """Deletes a thread and all that is in it; an active run is cancelled in the same commit. Raises `NotFound`."""
        while not await self._try_delete(tenant_id, thread_id):
            pass

    async def _try_delete(self, tenant_id: str, thread_id: str) -> bool:
        # Locks are taken in the order run, thread. The run is read before it is locked, so it may be another one by
        # then: start again.
        outbox_ids = None
        async with self._database.transaction() as session:
            thread = await session.one("get_thread", tenant_id=tenant_id, id=thread_id)
            if thread is None:
                raise NotFound("thread", thread_id)
            active = thread["active_run"]
            run = await session.one("lock_run", tenant_id=tenant_id, run_id=active) if active is not None else None
            locked = await session.one("lock_thread", tenant_id=tenant_id, id=thread_id)
            if locked is None:
                raise NotFound("thread", thread_id)
            if locked["active_run"] != active:
                return False
            if run is not None:
                outbox_ids = await end_locked_run(session, self._writer.owner, run, RunStatus.CANCELLED)
            await session.all("delete_thread_events", tenant_id=tenant_id, id=thread_id)
            await session.all("delete_thread", tenant_id=tenant_id, id=thread_id)
        self._writer.committed(outbox_ids)
        return True
