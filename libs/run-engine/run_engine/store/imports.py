"""Imports: objects of another installation, or of OpenAI, stored under their own ids, all of a request or none.

Called by the gateway. One transaction of statements over whole sets: locks, what is stored, the decision
(`domain.imports`), the writing. No events are written: nothing has happened here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final
from uuid import uuid4

from run_engine.domain.files import File
from run_engine.domain.imported_calls import CallPlan, plan_calls
from run_engine.domain.imports import (
    ImportBatch,
    ImportedObject,
    ImportRefused,
    Stored,
    StoredCall,
    StoredRun,
    gather,
    new_locks,
    refusals,
)
from run_engine.domain.objects import Assistant, Message, Run, RunStep, Thread, Tool, Usage, User
from run_engine.domain.status import RunStatus
from run_engine.store.database import Database, Row, Session

_COLUMNS: Final[Mapping[type[ImportedObject], tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (Assistant, File, User, Tool, Thread, Message, Run, RunStep)
}
_APART: Final[Mapping[type[ImportedObject], frozenset[str]]] = {
    File: frozenset({"storage_key"}),
    User: frozenset({"assistant_ids"}),
    Thread: frozenset({"participants"}),
    Run: frozenset({"usage", "required_calls", "stream_slots"}),
    RunStep: frozenset({"usage", "tool_calls", "other_calls"}),
}
"""Fields that are no columns of the same name."""


class Imports:
    """Stores objects as they came."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def store(self, tenant_id: str, objects: Iterable[tuple[int, ImportedObject]]) -> Mapping[str, int]:
        """Stores the objects, each given with its place in the request; gives how many of each kind there were.

        Where an object is stored already, its fields are replaced; its place among those of its second stays. Runs are
        not driven. Raises `ImportRefused`, and then nothing is stored.
        """
        batch, refused = gather(objects)
        async with self._database.transaction() as session:
            stored = await _lock_and_read(session, tenant_id, batch)
            refused += refusals(batch, stored)
            if not refused:
                plan = plan_calls(batch, stored, uuid4)
                refused = plan.refused
            if refused:
                raise ImportRefused(sorted(refused, key=lambda refusal: refusal.index))
            await _write(session, tenant_id, batch, stored, plan)
        return batch.counts()


async def _lock_and_read(session: Session, tenant_id: str, batch: ImportBatch) -> Stored:
    # Locks in the order of everything else: runs, then threads. What is read after them cannot change any more, but for
    # an imported run that becomes driven: it is locked itself.
    run_ids, thread_ids = batch.touched_runs(), batch.touched_threads()
    await session.all("lock_imports", tenant_id=tenant_id)
    await session.all("lock_imported_runs", tenant_id=tenant_id, ids=run_ids)
    locked = await session.all("lock_imported_threads", tenant_id=tenant_id, ids=thread_ids)
    threads: dict[str, str | None] = {row["id"]: row["active_run"] for row in locked}
    active = [run_id for run_id in threads.values() if run_id is not None]

    async def found(statement: str, ids: Iterable[str]) -> Sequence[Row]:
        wanted = list(ids)
        return await session.all(statement, tenant_id=tenant_id, ids=wanted) if wanted else ()

    runs = {row["id"]: _stored_run(row) for row in await found("imported_runs_stored", {*run_ids, *active})}
    return Stored(
        threads=threads,
        threads_in_use={
            thread_id for thread_id, run_id in threads.items() if run_id is not None and runs[run_id].driven
        },
        runs=runs,
        messages={row["id"]: row["thread_id"] for row in await found("imported_messages_stored", batch.messages)},
        steps={row["id"]: row["run_id"] for row in await found("imported_steps_stored", batch.steps)},
        files_with_bytes={row["id"] for row in await found("imported_files_stored", batch.files)},
        calls=[StoredCall(**row) for row in await found("imported_calls_stored", run_ids)],
        users={row["id"] for row in await found("lock_imported_users", batch.named_users())},
        assistants={row["id"] for row in await found("lock_imported_assistants", batch.named_assistants())},
    )


def _stored_run(row: Row) -> StoredRun:
    return StoredRun(row["thread_id"], row["assistant_id"], row["created_at"], row["driven"], row["waits"])


async def _write(session: Session, tenant_id: str, batch: ImportBatch, stored: Stored, plan: CallPlan) -> None:
    async def write(statement: str, objects: Sequence[Any], **values: Any) -> None:
        if objects:
            await session.all(statement, tenant_id=tenant_id, objects=objects, **values)

    await write("import_assistants", _columns(batch.assistants.values()))
    await write("import_files", _columns(batch.files.values()))
    await write("import_users", _columns(batch.users.values()))
    await write("import_tools", _columns(batch.tools.values()))
    await write("import_threads", _columns(batch.threads.values()))
    await _write_ties(session, tenant_id, batch)
    await write("import_messages", _columns(batch.messages.values()))
    ended = [run for run in batch.runs.values() if run.status.ended and run.id in stored.runs]
    await session.all(
        "end_imported_runs",
        tenant_id=tenant_id,
        ids=[run.id for run in ended],
        statuses=[run.status.value for run in ended],
    )
    await write("import_runs", _columns(batch.runs.values()))
    locks = new_locks(batch, stored)
    await session.all("import_locks", tenant_id=tenant_id, thread_ids=list(locks), run_ids=list(locks.values()))
    await session.all("count_imported_messages", tenant_id=tenant_id, ids=batch.touched_threads())
    await _write_steps(session, tenant_id, batch, plan)


async def _write_ties(session: Session, tenant_id: str, batch: ImportBatch) -> None:
    """Who has which assistants, and who takes part where, of those of whom it is told."""
    having = {user.id: user.assistant_ids for user in batch.users.values() if user.assistant_ids is not None}
    taking = {thread.id: thread.participants for thread in batch.threads.values() if thread.participants is not None}
    for kind, ties in (("user_assistants", having), ("participants", taking)):
        if ties:
            await session.all(f"clear_imported_{kind}", tenant_id=tenant_id, ids=list(ties))
            pairs = [(owner, each) for owner, tied in ties.items() for each in tied]
            await session.all(
                f"import_{kind}",
                tenant_id=tenant_id,
                owners=[owner for owner, _ in pairs],
                tied=[each for _, each in pairs],
            )


async def _write_steps(session: Session, tenant_id: str, batch: ImportBatch, plan: CallPlan) -> None:
    run_ids = batch.touched_runs()
    if not run_ids:
        return
    await session.all("clear_imported_calls", tenant_id=tenant_id, run_ids=run_ids, step_ids=list(batch.steps))
    steps = _columns(batch.steps.values(), stand_in=False)
    steps += _columns(plan.stand_ins, stand_in=True, place=len(steps))
    await session.all("import_steps", tenant_id=tenant_id, objects=steps)
    calls = [
        {
            "id": each.call.id,
            "step_id": each.step_id,
            "run_id": each.run_id,
            "thread_id": each.thread_id,
            "index": each.index,
            "name": each.call.name,
            "arguments": each.call.arguments,
            "created_at": each.created_at,
            "output": each.call.output,
        }
        for each in plan.calls
    ]
    await session.all("import_calls", tenant_id=tenant_id, objects=calls)
    await session.all(
        "open_imported_calls",
        tenant_id=tenant_id,
        run_ids=run_ids,
        waiting_runs=[run_id for run_id, _ in plan.waiting],
        waiting_calls=[call_id for _, call_id in plan.waiting],
    )
    await session.all("count_imported_tokens", tenant_id=tenant_id, run_ids=run_ids)


def _columns(objects: Iterable[ImportedObject], *, place: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Objects as the statements take them, numbered in their order."""
    rows = []
    for number, each in enumerate(objects, place):
        apart = _APART.get(type(each), frozenset())
        row = {name: getattr(each, name) for name in _COLUMNS[type(each)] if name not in apart}
        row |= more
        row["place"] = number
        if isinstance(each, Run):
            waits = each.status is RunStatus.REQUIRES_ACTION
            row["open_client_calls"] = len(each.required_calls) if waits else 0
            row["usage_unknown"] = each.usage is None and each.status.ended
            row |= _usage_columns(each.usage)
        elif isinstance(each, RunStep):
            row["other_calls"] = list(each.other_calls) or None
            row |= _usage_columns(each.usage)
        rows.append(row)
    return rows


def _usage_columns(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "usage_details": usage.details or None,
    }
