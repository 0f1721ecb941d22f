"""Messages in PostgreSQL."""

from collections.abc import Sequence

from run_engine.domain.drafts import MOST_MESSAGES, NewMessage, Page, PageRequest
from run_engine.domain.metadata import merged
from run_engine.domain.objects import Message, Metadata
from run_engine.domain.turns import check_next, turn_of
from run_engine.errors import NotFound, ThreadBusy
from run_engine.store import rows
from run_engine.store.database import Database
from run_engine.store.drafted import senders
from run_engine.store.overviews import Overviews
from run_engine.store.paging import HIGHEST, fetch_page
from run_engine.store.thread_room import require_room
from run_engine.store.users import require_users
from run_engine.store.writer import Writer


class Messages:
    """Add, read, change, delete and list messages of a thread.

    Messages of tools can be added, and are for prompts (`latest`) and `Conversations`: the others do not find them.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def create(self, tenant_id: str, thread_id: str, draft: NewMessage, *, in_turn: bool = False) -> Message:
        """Adds a message; a user's is published as message.created.

        With `in_turn` it has to be one that may follow what was said (`domain.turns`), whoever else adds one meanwhile.
        Raises `NotFound` (of the sender too), `ThreadBusy`, `ThreadFull`, and `Unanswerable` where it is not its turn.
        """
        if not in_turn:
            return await self._create(tenant_id, thread_id, draft)
        database = self._database
        async with database.unit_of_work():
            # Held until the commit, so that what is looked at is what the message will follow.
            thread = await database.one("thread_for_change", tenant_id=tenant_id, id=thread_id)
            if thread is not None and thread["active_run"] is None:
                turns, whole = await Overviews(database).turns(tenant_id, thread_id)
                check_next(turns, turn_of(draft), whole=whole)
            return await self._create(tenant_id, thread_id, draft)

    async def _create(self, tenant_id: str, thread_id: str, draft: NewMessage) -> Message:
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
                sender_id=draft.sender_id,
                tool_calls=draft.tool_calls,
                tool_call_id=draft.tool_call_id,
                most_messages=MOST_MESSAGES,
            )
            if row is not None:
                self._writer.committed(row["outbox_ids"])
                return rows.message(row)
            thread = await self._database.one("get_thread", tenant_id=tenant_id, id=thread_id)
            if thread is None:
                raise NotFound("thread", thread_id)
            await require_users(self._database, tenant_id, senders([draft]))
            if thread["active_run"] is not None:
                raise ThreadBusy(thread_id, thread["active_run"])
            if thread["message_count"] >= MOST_MESSAGES:
                await require_room(self._database, tenant_id, thread_id, 1)
            # The run ended between the two statements, or there was room after all, or the user has come meanwhile.

    async def get(self, tenant_id: str, thread_id: str, message_id: str) -> Message:
        """Raises `NotFound`."""
        row = await self._database.one("get_message", tenant_id=tenant_id, thread_id=thread_id, id=message_id)
        if row is None:
            raise NotFound("message", message_id)
        return rows.message(row)

    async def modify(self, tenant_id: str, thread_id: str, message_id: str, metadata: Metadata | None) -> Message:
        """Changes the metadata as `domain.metadata` says. Raises `NotFound` and `TooMuchMetadata`."""
        place = {"tenant_id": tenant_id, "thread_id": thread_id, "id": message_id}
        async with self._database.transaction() as session:
            row = await session.one("message_for_change", **place)
            if row is None:
                raise NotFound("message", message_id)
            changed = await session.row("modify_message", **place, metadata=merged(row["metadata"], metadata))
        return rows.message(changed)

    async def delete(self, tenant_id: str, thread_id: str, message_id: str) -> None:
        """Deletes a message. Raises `NotFound`, and `ThreadBusy` while a run is active, which reads the thread."""
        place = {"tenant_id": tenant_id, "thread_id": thread_id, "id": message_id}
        while await self._database.one("delete_message", **place) is None:
            thread = await self._database.one("get_thread", tenant_id=tenant_id, id=thread_id)
            if thread is None:
                raise NotFound("thread", thread_id)
            await self.get(tenant_id, thread_id, message_id)
            if thread["active_run"] is not None:
                raise ThreadBusy(thread_id, thread["active_run"])
            # The run ended between the statements: the thread is free now.

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

    async def latest(
        self, tenant_id: str, thread_id: str, limit: int, *, before: str | None = None
    ) -> Sequence[Message]:
        """The newest `limit` messages, newest first, those of tools included: what a prompt is made of.

        `before` goes on from a message; there are none before one that is gone. Costs by `limit`, not by the thread.
        """
        place = HIGHEST
        if before is not None:
            row = await self._database.one("place_in_prompt", tenant_id=tenant_id, thread_id=thread_id, id=before)
            if row is None:
                return []
            place = row["created_at"], row["position"]
        found = await self._database.all(
            "latest_messages",
            tenant_id=tenant_id,
            thread_id=thread_id,
            before_time=place[0],
            before_position=place[1],
            limit=limit,
        )
        return [rows.message(row) for row in found]
