"""Conversations in PostgreSQL: everything that was said in a thread, what tools said included.

`Messages` has what OpenAI's API has, messages of users and assistants. Here there are also the messages of tools that
clients wrote, and, as more of the same, the answers to the calls of the thread's runs: those are stored as calls alone.
"""

from run_engine.domain.drafts import Page, PageRequest
from run_engine.domain.objects import Message
from run_engine.errors import NotFound
from run_engine.store import rows
from run_engine.store.database import Database
from run_engine.store.paging import fetch_page


class Conversations:
    """Reads threads as conversations. An answered call is a message of the role tool, under the id of the call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, tenant_id: str, thread_id: str, request: PageRequest) -> Page[Message]:
        """One page; answers stand where they came. Raises `NotFound` for thread and cursor."""
        database = self._database
        page = await fetch_page(
            request,
            kind="message",
            place_of=lambda cursor: database.one("place_of_said", tenant_id=tenant_id, thread_id=thread_id, id=cursor),
            rows_between=lambda bounds: database.all(
                "list_conversation", tenant_id=tenant_id, thread_id=thread_id, **bounds
            ),
            build=rows.message,
        )
        if not page.items and await database.one("get_thread", tenant_id=tenant_id, id=thread_id) is None:
            raise NotFound("thread", thread_id)
        return page

    async def get(self, tenant_id: str, message_id: str) -> Message:
        """A message, or the answer to a call, by its id alone. Raises `NotFound`.

        Imported runs may have calls of the same id: then it is the answer that came last.
        """
        row = await self._database.one("find_said", tenant_id=tenant_id, id=message_id)
        if row is None:
            raise NotFound("message", message_id)
        return rows.message(row)
