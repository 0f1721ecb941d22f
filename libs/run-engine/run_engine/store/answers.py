"""Answers of tool services, as they arrive over the bus: the first one counts."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import orjson

from run_engine.store.database import Database
from run_engine.store.writer import Writer

Outcome: TypeAlias = Literal["completed", "failed", "timed_out"]
NoteAnswer: TypeAlias = Callable[[str, Outcome, float], None]
"""Told of each answer that counts: the tool service, what came of the call, and the seconds since it was handed out."""

TIMED_OUT = "timeout"
"""The code of a call that nobody answered in time."""


def note_nothing(_service: str, _outcome: Outcome, _seconds: float) -> None:
    """A `NoteAnswer` for those who do not count."""


class Answers:
    """Stores outputs of server tool calls. Late and repeated answers change nothing."""

    def __init__(self, database: Database, writer: Writer, note: NoteAnswer = note_nothing) -> None:
        self._database = database
        self._writer = writer
        self._note = note

    async def complete(self, tenant_id: str, run_id: str, call_id: str, output: str) -> bool:
        """Stores the output of a call; False when it is answered already or its run does not wait any more."""
        return await self._store(tenant_id, run_id, call_id, output, "completed")

    async def fail(self, tenant_id: str, run_id: str, call_id: str, code: str, message: str) -> bool:
        """Stores an error as the output, so that the model is told plainly what went wrong."""
        output = orjson.dumps({"error": {"code": code, "message": message}}).decode()
        return await self._store(tenant_id, run_id, call_id, output, "timed_out" if code == TIMED_OUT else "failed")

    async def _store(self, tenant_id: str, run_id: str, call_id: str, output: str, outcome: Outcome) -> bool:
        row = await self._database.one(
            "answer_calls",
            owner=self._writer.owner,
            tenant_id=tenant_id,
            run_id=run_id,
            call_ids=[call_id],
            outputs=[output],
            by_client=False,
        )
        if row is None:
            return False
        self._writer.committed(row["outbox_ids"])
        self._note(row["service"], outcome, row["seconds"])
        return True
