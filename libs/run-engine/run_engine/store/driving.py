"""What a worker does with runs: claim, read the prompt's parts, begin steps, park, finish, fail, hand back.

All of it is fenced.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from run_engine.domain.drafts import NewToolCall
from run_engine.domain.moves import Trigger, target
from run_engine.domain.objects import Json, Run, RunStep, Usage
from run_engine.domain.status import RunStatus
from run_engine.errors import Fenced
from run_engine.store import rows
from run_engine.store.database import Database, Row, Session
from run_engine.store.endings import abandon_open_step, end_locked_run, queue_locked_run
from run_engine.store.paging import HIGHEST, LOWEST
from run_engine.store.streams import StoredEvent
from run_engine.store.writer import BEGUN_WITHIN, Writer

LONGEST_TIMEOUT: Final = 86_400.0
"""Seconds that a call waits for its service at the most, whatever the service announced."""

MOST_BYTES_OF_A_CLAIM: Final = 65_536
"""Bytes of messages that come along with a claim at the most: it holds the run's lock while it reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What ends a run well: the message that the model wrote, with the ids that its step and message get."""

    step_id: str
    message_id: str
    content: list[Json]
    usage: Usage
    incomplete_reason: str | None = None
    """None, or why the answer is cut short: max_completion_tokens, max_prompt_tokens or content_filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model wrote before it called tools, or was stopped, with the ids that its step and message get."""

    step_id: str
    message_id: str
    content: list[Json]


class Driving:
    """The writes of one worker, named by its `Writer.owner`; each raises `Fenced` once the run is not its own."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def claim(self, tenant_id: str, run_id: str, *, messages: int = 0) -> Run | None:
        """Takes a queued run; None when there is nothing to take (another worker has it, or it ended or expired).

        So many of the newest messages of its thread come along, unless they are too many bytes.
        """
        row = await self._database.one(
            "claim_run",
            worker=self._writer.owner,
            tenant_id=tenant_id,
            run_id=run_id,
            messages=messages,
            most_bytes=MOST_BYTES_OF_A_CLAIM,
        )
        if row is None:
            return None
        self._writer.committed(row["outbox_ids"], within=BEGUN_WITHIN)
        newest = row["newest_messages"]
        return replace(
            rows.run(row),
            claim_event=row["claim_event"],
            queued_seconds=row["queued_seconds"],
            traceparent=row["traceparent"],
            newest_messages=None if newest is None else tuple(map(rows.message_in_json, newest)),
        )

    async def open_step(self, run: Run, step_id: str, message_id: str | None) -> StoredEvent | None:
        """Begins a step in the open, for those who stream the run: one that writes the message, or calls tools if None.

        Returns its event; None if it was begun before, by a call whose reply was lost. `say`, `finish` and `park` go on
        with the step under the same ids.
        """
        row = await self._database.one(
            "open_step", **self._fence(run), step_id=step_id, message_id=message_id, cancelling=False
        )
        if row is None:
            raise Fenced(run.id)
        if row["seq"] is None:
            return None
        self._writer.committed(row["outbox_ids"], within=BEGUN_WITHIN)
        return StoredEvent(
            run.tenant_id,
            run.id,
            row["seq"],
            "threadworks.run-step.created.v1",
            step_id,
            row["data"],
            row["created_at"],
        )

    async def say(self, run: Run, said: Said) -> None:
        """Completes a message beside which the model calls tools: its step is done, the run goes on.

        Again changes nothing.
        """
        row = await self._database.one("complete_message", **self._fence(run), **asdict(said))
        self._committed(run, row)

    async def abandon_step(self, run: Run, reason: str) -> None:
        """Fails the step that was begun in the open, if there is one; its message is gone. Its owner reads `reason`."""
        async with self._database.transaction() as session:
            await self._lock(session, run)
            outbox_ids = await abandon_open_step(session, self._writer.owner, run.tenant_id, run.id, reason)
        self._writer.committed(outbox_ids)

    async def queued(self, limit: int) -> Sequence[tuple[str, str]]:
        """(tenant id, run id) of the runs that have waited longest."""
        return [(row["tenant_id"], row["id"]) for row in await self._database.all("queued_runs", limit=limit)]

    async def steps(self, run: Run) -> Sequence[RunStep]:
        """All steps of a run, oldest first: the finished tool rounds that the next prompt goes on from."""
        found = await self._database.all(
            "list_steps",
            tenant_id=run.tenant_id,
            thread_id=run.thread_id,
            run_id=run.id,
            ascending=True,
            low_time=LOWEST[0],
            low_position=LOWEST[1],
            high_time=HIGHEST[0],
            high_position=HIGHEST[1],
            limit=None,
            most_bytes=None,
        )
        return [rows.step(row) for row in found]

    async def finish(self, run: Run, answer: Answer) -> None:
        """Completes the run, or ends it as incomplete, with its message, step and usage in one commit."""
        incomplete = answer.incomplete_reason is not None
        reason = answer.incomplete_reason
        row = await self._database.one(
            "finish_run",
            **self._fence(run),
            status=RunStatus.INCOMPLETE.value if incomplete else RunStatus.COMPLETED.value,
            incomplete_details={"reason": reason} if incomplete else None,
            message_incomplete_details={"reason": _message_reason(reason)} if reason is not None else None,
            step_id=answer.step_id,
            message_id=answer.message_id,
            content=answer.content,
            prompt_tokens=answer.usage.prompt_tokens,
            completion_tokens=answer.usage.completion_tokens,
        )
        self._committed(run, row)

    async def park(
        self, run: Run, step_id: str, calls: Sequence[NewToolCall], usage: Usage, said: Said | None = None
    ) -> None:
        """Parks the run for tool calls (at least one); services are asked by the events of the same commit.

        `said` is what the model wrote before it called.
        """
        if said is None:
            self._committed(run, await self._park(self._database, run, step_id, calls, usage))
            return
        async with self._database.transaction() as session:
            spoken = await session.one("complete_message", **self._fence(run), **asdict(said))
            parked = await self._park(session, run, step_id, calls, usage)
            if spoken is None or parked is None:
                raise Fenced(run.id)
        self._writer.committed([*spoken["outbox_ids"], *parked["outbox_ids"]])

    async def _park(
        self, session: Session | Database, run: Run, step_id: str, calls: Sequence[NewToolCall], usage: Usage
    ) -> Row | None:
        return await session.one(
            "park_run",
            **self._fence(run),
            step_id=step_id,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            call_ids=[call.id for call in calls],
            call_names=[call.name for call in calls],
            call_arguments=[call.arguments for call in calls],
            call_services=[call.service for call in calls],
            call_timeouts=[_allowed(call) for call in calls],
        )

    async def fail(self, run: Run, code: str, message: str, said: list[Json] | None = None) -> None:
        """Ends the run as failed; `code` is server_error, rate_limit_exceeded or invalid_prompt.

        `said` is the content of its open message so far.
        """
        async with self._database.transaction() as session:
            locked = await self._lock(session, run)
            ids = await end_locked_run(
                session, self._writer.owner, locked, RunStatus.FAILED, {"code": code, "message": message}, said=said
            )
        self._writer.committed(ids)

    async def cut_short(self, run: Run, reason: str, usage: Usage) -> None:
        """Ends the run as incomplete without a message of its own: a limit is used up. No step of it may be open.

        `usage` is what the model took since the last step. `reason` as in `Answer`.
        """
        async with self._database.transaction() as session:
            locked = await self._lock(session, run)
            ids = await end_locked_run(
                session, self._writer.owner, locked, RunStatus.INCOMPLETE, incomplete_reason=reason, usage=usage
            )
        self._writer.committed(ids)

    async def obey_cancel(self, run: Run, said: list[Json] | None = None, untold: Said | None = None) -> None:
        """Ends a run in cancelling as cancelled, after its work was stopped. `said` as in `fail`.

        `untold` is what was written while nobody listened: it becomes a message, incomplete as one that was told.
        """
        begun: Sequence[int] = ()
        async with self._database.transaction() as session:
            locked = await self._lock(session, run)
            status = target(RunStatus(locked["status"]), Trigger.OBEY_CANCEL)
            if status is not RunStatus.CANCELLED:
                return
            if untold is not None:
                ids_of_it = {"step_id": untold.step_id, "message_id": untold.message_id}
                row = await session.row("open_step", **self._fence(run), **ids_of_it, cancelling=True)
                begun, said = row["outbox_ids"] or (), untold.content
            ended = await end_locked_run(session, self._writer.owner, locked, status, said=said)
        self._writer.committed([*begun, *ended])

    async def hand_back(self, run_tenant: str, run_id: str, attempt: int, said: list[Json] | None = None) -> None:
        """Gives up a run unharmed: queued again, or cancelled when that was asked for. `said` as in `fail`."""
        async with self._database.transaction() as session:
            locked = await session.one(
                "lock_driven_run", tenant_id=run_tenant, run_id=run_id, attempt=attempt, worker=self._writer.owner
            )
            if locked is None:
                raise Fenced(run_id)
            status = target(RunStatus(locked["status"]), Trigger.HAND_BACK)
            if status is RunStatus.QUEUED:
                ids = await queue_locked_run(session, self._writer.owner, locked, locked["lost_workers"])
            else:
                ids = await end_locked_run(session, self._writer.owner, locked, status, said=said)
        self._writer.committed(ids)

    def _fence(self, run: Run) -> dict[str, object]:
        return {
            "tenant_id": run.tenant_id,
            "run_id": run.id,
            "attempt": run.attempt,
            "worker": self._writer.owner,
        }

    async def _lock(self, session: Session, run: Run) -> Row:
        row = await session.one("lock_driven_run", **self._fence(run))
        if row is None:
            raise Fenced(run.id)
        return row

    def _committed(self, run: Run, row: Row | None) -> None:
        if row is None:
            raise Fenced(run.id)
        self._writer.committed(row["outbox_ids"])


def _allowed(call: NewToolCall) -> float | None:
    # Services announce any number. No caller could read a time beyond the year 9999.
    return None if call.service is None or call.timeout is None else min(call.timeout, LONGEST_TIMEOUT)


def _message_reason(reason: str | None) -> str:
    # A message knows max_tokens where a run knows which limit it was.
    return "content_filter" if reason == "content_filter" else "max_tokens"
