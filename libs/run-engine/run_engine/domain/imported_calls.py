"""What becomes of the function calls of imported runs and steps. Pure; called by the store once an import is allowed.

An imported run in requires_action names the calls that its client has to answer. Usually they are in a step that is
imported as well, or will be by a later request; until then a step stands in for it, so that the client can answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from run_engine.domain import ids
from run_engine.domain.import_errors import CallsScattered
from run_engine.domain.imports import ImportBatch, ImportRefusal, Stored, StoredRun, steps_of_calls
from run_engine.domain.objects import Run, RunStep, ToolCall
from run_engine.domain.status import RunStatus, StepStatus


@dataclass(frozen=True, slots=True)
class ImportedCall:
    """One function call to be stored."""

    run_id: str
    thread_id: str
    step_id: str
    index: int
    """Its place among the function calls of its step."""
    created_at: datetime
    call: ToolCall


@dataclass(slots=True)
class CallPlan:
    """What is to be written."""

    stand_ins: list[RunStep] = field(default_factory=list)
    """Steps that nobody has imported, for calls that only a run names."""
    calls: list[ImportedCall] = field(default_factory=list)
    """The calls of all steps of the request and of the stand-ins."""
    waiting: list[tuple[str, str]] = field(default_factory=list)
    """(run id, call id) of what clients have to answer, of all runs that the request touches."""
    refused: list[ImportRefusal] = field(default_factory=list)


def plan_calls(batch: ImportBatch, stored: Stored, new_number: Callable[[], UUID]) -> CallPlan:
    """The plan for a request of which nothing else is refused. `new_number` is for the ids of new stand-ins."""
    plan = CallPlan()
    owners = steps_of_calls(batch, stored)
    # Whoever imports a run again finds its stand-in again.
    made = {call.run_id: call.step_id for call in stored.calls if call.stands_in and call.step_id not in batch.steps}
    for run_id in batch.touched_runs():
        run = batch.runs.get(run_id) or stored.runs[run_id]
        waiting = _waiting_calls(run_id, batch, stored)
        steps = {owner for call in waiting for owner in owners.get((run_id, call.id), ("",))}
        if len(steps) > 1:
            plan.refused.append(_scattered(run_id, batch))
        orphans = tuple(call for call in waiting if (run_id, call.id) not in owners)
        if orphans:
            step_id = made.get(run_id) or ids.render("step", new_number())
            plan.stand_ins.append(_stand_in(step_id, run_id, run, orphans))
        plan.waiting += [(run_id, call.id) for call in waiting]
    for step in (*batch.steps.values(), *plan.stand_ins):
        plan.calls += _calls_of(step)
    return plan


def _waiting_calls(run_id: str, batch: ImportBatch, stored: Stored) -> Sequence[ToolCall]:
    run = batch.runs.get(run_id)
    if run is not None:
        return run.required_calls if run.status is RunStatus.REQUIRES_ACTION else ()
    if not stored.runs[run_id].waits:
        return ()
    return [
        ToolCall(id=call.id, name=call.name, arguments=call.arguments, service=None, output=None)
        for call in stored.calls
        if call.run_id == run_id and call.is_open
    ]


def _scattered(run_id: str, batch: ImportBatch) -> ImportRefusal:
    places: Mapping[tuple[str, str], int] = batch.places
    if run_id in batch.runs:
        return ImportRefusal(places["run", run_id], CallsScattered(run_id), "required_action")
    step = next(step for step in batch.steps.values() if step.run_id == run_id)
    return ImportRefusal(places["run step", step.id], CallsScattered(run_id), "step_details.tool_calls")


def _stand_in(step_id: str, run_id: str, run: Run | StoredRun, calls: tuple[ToolCall, ...]) -> RunStep:
    return RunStep(
        id=step_id,
        run_id=run_id,
        thread_id=run.thread_id,
        assistant_id=run.assistant_id,
        created_at=run.created_at,
        type="tool_calls",
        status=StepStatus.IN_PROGRESS,
        message_id=None,
        tool_calls=calls,
        last_error=None,
        completed_at=None,
        failed_at=None,
        cancelled_at=None,
        expired_at=None,
        metadata={},
        usage=None,
    )


def _calls_of(step: RunStep) -> Iterable[ImportedCall]:
    return (
        ImportedCall(step.run_id, step.thread_id, step.id, index, step.created_at, call)
        for index, call in enumerate(step.tool_calls)
    )
