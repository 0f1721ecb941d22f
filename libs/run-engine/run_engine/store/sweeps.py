"""What the sweeper asks of PostgreSQL. Every method is one short transaction and safe on any number of replicas."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog

from run_engine.domain.moves import RunState, Trigger, lose_worker, target
from run_engine.domain.status import RunStatus
from run_engine.errors import DatabaseUnavailable
from run_engine.store.answers import TIMED_OUT, Answers, NoteAnswer, note_nothing
from run_engine.store.database import Database, Row, Session
from run_engine.store.endings import end_locked_run, queue_locked_run
from run_engine.store.writer import Writer

log = structlog.get_logger(__name__)

BATCH: Final = 100
"""Things that one sweep moves at the most: where it has moved so many, there may be more."""
_ROWS: Final = 5000
"""The same for rows that are only rewritten or deleted."""
_LOST_WORKER: Final = {
    "code": "server_error",
    "message": "The run was given up: its workers died three times in a row.",
}


class Sweeps:
    """Moves what nobody else moves any more, a batch at a time. Each method returns how many things it moved.

    A run or a call that cannot be moved is logged and left, and keeps no other from being moved.
    """

    def __init__(self, database: Database, writer: Writer, note: NoteAnswer = note_nothing) -> None:
        self._database = database
        self._writer = writer
        self._answers = Answers(database, writer, note)

    async def adopt_outbox(self, lease: timedelta) -> int:
        """Takes over unpublished events of dead processes. Which of them come first does not matter to their order."""
        found = await self._database.all("adopt_outbox", owner=self._writer.owner, lease=lease, limit=_ROWS)
        self._writer.committed(sorted(row["id"] for row in found))
        return len(found)

    async def requeue_lost_runs(self, lease: timedelta) -> int:
        """Runs of dead workers: queued again, failed at the third loss, cancelled when that was asked for."""

        async def settle(session: Session, run: Row) -> Sequence[int]:
            before = RunState(RunStatus(run["status"]), run["attempt"], run["lost_workers"])
            after = lose_worker(before)
            if after.status is RunStatus.QUEUED:
                return await queue_locked_run(session, self._writer.owner, run, after.lost_workers)
            error = _LOST_WORKER if after.status is RunStatus.FAILED else None
            return await end_locked_run(session, self._writer.owner, run, after.status, error)

        return await self._each("lost_runs", settle, lease=lease)

    async def expire_runs(self) -> int:
        """Unfinished runs whose time is over: expired, whoever drives them."""

        async def settle(session: Session, run: Row) -> Sequence[int]:
            status = target(RunStatus(run["status"]), Trigger.EXPIRE)
            return await end_locked_run(session, self._writer.owner, run, status)

        return await self._each("expired_runs", settle)

    async def queue_idle_runs(self) -> int:
        """Parked runs without an open call: queued."""

        async def settle(session: Session, run: Row) -> Sequence[int]:
            return await queue_locked_run(session, self._writer.owner, run, 0)

        return await self._each("idle_runs", settle)

    async def _each(
        self,
        statement: str,
        settle: Callable[[Session, Row], Awaitable[Sequence[int]]],
        **values: object,
    ) -> int:
        ids: list[int] = []
        moved = 0
        async with self._database.transaction() as session:
            for run in await session.all(statement, limit=BATCH, **values):
                try:
                    async with session.atomic():
                        settled = await settle(session, run)
                except DatabaseUnavailable:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others wait behind it
                    _log_fault(statement, run["id"], error)
                else:
                    ids.extend(settled)
                    moved += 1
        self._writer.committed(ids)
        return moved

    async def fail_overdue_calls(self) -> int:
        """Calls past their deadline: answered with an error that the model is told."""
        failed = 0
        for call in await self._database.all("overdue_calls", limit=BATCH):
            told = f"The tool service '{call['service']}' did not answer in time."
            try:
                failed += await self._answers.fail(call["tenant_id"], call["run_id"], call["id"], TIMED_OUT, told)
            except DatabaseUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                _log_fault("overdue_calls", call["run_id"], error)
        return failed

    async def repeat_calls(self) -> int:
        """Unanswered calls at half of their time: published once more."""
        found = await self._database.all("repeat_calls", owner=self._writer.owner, limit=BATCH)
        self._writer.committed([row["id"] for row in found])
        return len(found)

    async def prune_history(self, retention: timedelta) -> int:
        """Events older than `retention` of runs that have ended: forgotten."""
        row = await self._database.row("prune_run_events", retention=retention, limit=_ROWS)
        count: int = row["count"]
        return count

    async def prune_keys(self, retention: timedelta) -> int:
        """Idempotency keys older than `retention`: forgotten, with the replies kept under them."""
        row = await self._database.row("prune_idempotency_keys", retention=retention, limit=_ROWS)
        count: int = row["count"]
        return count

    async def prune_workers(self, retention: timedelta) -> int:
        """Processes that died longer than `retention` ago and hold nothing: forgotten."""
        await self._database.all("prune_workers", retention=retention)
        return 0


def _log_fault(statement: str, run_id: str, error: Exception) -> None:
    log.error(
        "a run could not be moved", action="sweep_fault", sweep=statement, run_id=run_id, error=type(error).__name__
    )
