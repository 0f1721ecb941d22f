"""What the sweeper asks of PostgreSQL. Every method is one short transaction and safe on any number of replicas."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from run_engine.domain.moves import RunState, Trigger, lose_worker, target
from run_engine.domain.status import RunStatus
from run_engine.store.answers import Answers
from run_engine.store.database import Database, Row, Session
from run_engine.store.endings import end_locked_run, queue_locked_run
from run_engine.store.writer import Writer

_BATCH = 100
_LOST_WORKER = {"code": "server_error", "message": "The run was given up: its workers died three times in a row."}


class Sweeps:
    """Moves what nobody else moves any more. Each method returns how many things it moved."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._answers = Answers(database, writer)

    async def adopt_outbox(self, lease: timedelta) -> int:
        """Takes over the unpublished events of dead processes."""
        found = await self._database.all("adopt_outbox", owner=self._writer.owner, lease=lease)
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
        async with self._database.transaction() as session:
            found = await session.all(statement, limit=_BATCH, **values)
            for run in found:
                ids.extend(await settle(session, run))
        self._writer.committed(ids)
        return len(found)

    async def fail_overdue_calls(self) -> int:
        """Calls past their deadline: answered with an error that the model is told."""
        failed = 0
        for call in await self._database.all("overdue_calls", limit=_BATCH):
            failed += await self._answers.fail(
                call["tenant_id"],
                call["run_id"],
                call["id"],
                "timeout",
                f"The tool service '{call['service']}' did not answer in time.",
            )
        return failed

    async def repeat_calls(self) -> int:
        """Unanswered calls at half of their time: published once more."""
        found = await self._database.all("repeat_calls", owner=self._writer.owner, limit=_BATCH)
        self._writer.committed([row["id"] for row in found])
        return len(found)

    async def prune(self, retention: timedelta) -> None:
        """Forgets the history of runs that ended longer than `retention` ago, and processes that died then."""
        await self._database.all("prune_run_events", retention=retention)
        await self._database.all("prune_workers", retention=retention)
