"""Conversations in PostgreSQL: everything that was said in a thread, what tools said included.

`Messages` has what OpenAI's API has, messages of users and assistants. Here there are also the messages of tools that
clients wrote, and, as more of the same, the answers to the calls of the thread's runs: those are stored as calls alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

from run_engine.domain.drafts import Page, PageRequest
from run_engine.domain.objects import Message, ToolCall
from run_engine.errors import NotFound
from run_engine.store import rows
from run_engine.store.database import Database
from run_engine.store.paging import fetch_page


class RunCall(NamedTuple):
    """A call of a run."""

    run_id: str
    step_id: str
    call: ToolCall
    answered_first: bool
    """Of the calls of its step."""


class Conversations:
    """Reads threads as conversations. An answered call is a message of the role tool, under the id of the call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, tenant_id: str, thread_id: str, request: PageRequest) -> Page[Message]:
        """One page; answers stand where they came. Raises `NotFound` for thread and cursor.

        `after` may be a step that asks for calls: it stands before the first of their answers, or at the end.
        """
        database = self._database
        page = await fetch_page(
            request,
            kind="message",
            place_of=lambda cursor: database.one(
                "place_of_said",
                tenant_id=tenant_id,
                thread_id=thread_id,
                id=cursor,
                ascending=request.order == "asc",
            ),
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

    async def calls_of(self, tenant_id: str, run_ids: Sequence[str]) -> Sequence[RunCall]:
        """All calls of these runs, with one statement; each run's in the order of its steps and of the model."""
        if not run_ids:
            return []
        found = await self._database.all("calls_of_runs", tenant_id=tenant_id, run_ids=list(run_ids))
        return [RunCall(row["run_id"], row["step_id"], rows.tool_call(row), row["answered_first"]) for row in found]
