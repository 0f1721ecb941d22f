"""Cold moves of a run that the caller has locked: ended without an answer, or queued again."""

from collections.abc import Sequence
from typing import Final

from run_engine.domain.objects import Json, Usage
from run_engine.domain.status import RunStatus
from run_engine.store.database import Row, Session

NOTHING: Final = Usage()


async def end_locked_run(
    session: Session,
    owner: str,
    run: Row,
    status: RunStatus,
    last_error: Json | None = None,
    *,
    said: list[Json] | None = None,
    incomplete_reason: str | None = None,
    usage: Usage = NOTHING,
) -> Sequence[int]:
    """Ends the run as failed, cancelled, expired or incomplete, closes its open step and message, frees its thread.

    `said` is the content of the open message so far; None where only its worker knows. `usage` is what no step counts.

    Returns the ids of the outbox rows, for `Writer.committed` after the commit.
    """
    row = await session.row(
        "end_run",
        owner=owner,
        tenant_id=run["tenant_id"],
        thread_id=run["thread_id"],
        run_id=run["id"],
        status=status.value,
        last_error=last_error,
        said=said,
        incomplete_details=None if incomplete_reason is None else {"reason": incomplete_reason},
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )
    ids: Sequence[int] = row["outbox_ids"]
    return ids


async def queue_locked_run(session: Session, owner: str, run: Row, lost_workers: int) -> Sequence[int]:
    """Queues the run again, without what was begun, and wakes an orchestrator. Returns the ids of the outbox rows."""
    abandoned = await abandon_open_step(session, owner, run["tenant_id"], run["id"], "The step is begun anew.")
    row = await session.row(
        "queue_run", owner=owner, tenant_id=run["tenant_id"], run_id=run["id"], lost_workers=lost_workers
    )
    return [*abandoned, *row["outbox_ids"]]


async def abandon_open_step(session: Session, owner: str, tenant_id: str, run_id: str, reason: str) -> Sequence[int]:
    """Fails the step that a locked run has begun in the open, if there is one. Returns the ids of the outbox rows."""
    row = await session.row("abandon_step", owner=owner, tenant_id=tenant_id, run_id=run_id, reason=reason)
    return [] if row["outbox_id"] is None else [row["outbox_id"]]
