"""Threads seen from above: who talks in them, when, and in which turns, without reading what was said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from run_engine.domain.objects import Thread
from run_engine.domain.turns import Turn
from run_engine.store import rows
from run_engine.store.database import Database

MOST_TURNS: Final = 200
"""Messages that are looked at: more calls than one message of a model has, with their outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadOverview:
    """A thread with what is known of its conversation."""

    thread: Thread
    user_id: str | None
    """The user who came to it first."""
    last_said_at: datetime
    """When something was said last; when it was made, if nothing was."""


class Overviews:
    """Reads threads from above."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def threads(self, tenant_id: str, thread_ids: Sequence[str]) -> Sequence[ThreadOverview]:
        """Those of the threads that there are, in the given order, with one statement."""
        found = await self._database.all("thread_overviews", tenant_id=tenant_id, ids=list(thread_ids))
        return [
            ThreadOverview(thread=rows.thread(row), user_id=row["first_user"], last_said_at=row["last_said_at"])
            for row in found
        ]

    async def turns(self, tenant_id: str, thread_id: str) -> tuple[Sequence[Turn], bool]:
        """The newest messages as turns, oldest first, and whether they are all. None where there is no such thread."""
        found = await self._database.all("newest_turns", tenant_id=tenant_id, thread_id=thread_id, limit=MOST_TURNS + 1)
        turns = [Turn(row["role"], tuple(row["call_ids"]), row["tool_call_id"]) for row in found[:MOST_TURNS]]
        turns.reverse()
        return turns, len(found) <= MOST_TURNS
