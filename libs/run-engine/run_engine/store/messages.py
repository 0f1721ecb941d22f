"""Messages in PostgreSQL."""

from collections.abc import Sequence

from run_engine.domain.drafts import NewMessage, Page, PageRequest
from run_engine.domain.objects import Message
from run_engine.errors import NotFound, ThreadBusy
from run_engine.store import rows
from run_engine.store.database import Database
from run_engine.store.paging import HIGHEST, fetch_page
from run_engine.store.writer import Writer


class Messages:
    """Add, read and list messages of a thread."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def create(self, tenant_id: str, thread_id: str, draft: NewMessage) -> Message:
        """Adds a message; a user's is published as message.created. Raises `NotFound` and `ThreadBusy`."""
        while True:
            row = await self._database.one(
                "create_message",
                owner=self._writer.owner,
                tenant_id=tenant_id,
                thread_id=thread_id,
                id=draft.id,
                role=draft.role,
                content=draft.content,
                attachments=draft.attachments or [],
                metadata=draft.metadata,
            )
            if row is not None:
                self._writer.committed(row["outbox_ids"])
                return rows.message(row)
            thread = await self._database.one("get_thread", tenant_id=tenant_id, id=thread_id)
            if thread is None:
                raise NotFound("thread", thread_id)
            if thread["active_run"] is not None:
                raise ThreadBusy(thread_id, thread["active_run"])
            # The run ended between the two statements: the thread is free now.

    async def get(self, tenant_id: str, thread_id: str, message_id: str) -> Message:
        """Raises `NotFound`."""
        row = await self._database.one("get_message", tenant_id=tenant_id, thread_id=thread_id, id=message_id)
        if row is None:
            raise NotFound("message", message_id)
        return rows.message(row)

    async def list(
        self, tenant_id: str, thread_id: str, request: PageRequest, run_id: str | None = None
    ) -> Page[Message]:
        """One page of a thread, or of what one run wrote in it. Raises `NotFound` for thread and cursor."""
        database = self._database
        page = await fetch_page(
            request,
            kind="message",
            place_of=lambda cursor: database.one(
                "place_of_message", tenant_id=tenant_id, thread_id=thread_id, id=cursor
            ),
            rows_between=lambda bounds: database.all(
                "list_messages", tenant_id=tenant_id, thread_id=thread_id, run_id=run_id, **bounds
            ),
            build=rows.message,
        )
        if not page.items and await database.one("get_thread", tenant_id=tenant_id, id=thread_id) is None:
            raise NotFound("thread", thread_id)
        return page

    async def latest(self, tenant_id: str, thread_id: str, limit: int) -> Sequence[Message]:
        """The newest `limit` messages, newest first: what a prompt is made of. Costs by `limit`, not by the thread."""
        found = await self._database.all(
            "latest_messages",
            tenant_id=tenant_id,
            thread_id=thread_id,
            before_time=HIGHEST[0],
            before_position=HIGHEST[1],
            limit=limit,
        )
        return [rows.message(row) for row in found]
