"""What the driving of a run happens within: its fields in the log, and its span. `bootstrap` puts it around."""

from observability.log_context import LogContext
from observability.trace_context import current_traceparent, trace_id_of
from observability.tracing import Value, span_of
from run_engine.domain.objects import Run

from run_orchestrator.application.driven_runs import Drive, DrivenRun


def in_context(drive: Drive) -> Drive:
    """Return `drive` with its run bound to the log, as a span of the trace that the run belongs to."""

    async def drive_in_context(driven: DrivenRun) -> None:
        run = driven.run
        attributes: dict[str, Value] = {"threadworks.run_id": run.id, "threadworks.attempt": run.attempt}
        context = LogContext(run_id=run.id, attempt=run.attempt)
        with context, span_of(_parent(run), "drive run", attributes=attributes):
            await drive(driven)

    return drive_in_context


def _parent(run: Run) -> str | None:
    """What the driving belongs to: the event that led to it, if that is of the run's own trace, else its beginning."""
    woken_by, begun_in = current_traceparent(), run.traceparent
    if begun_in is None or (woken_by is not None and trace_id_of(woken_by) == trace_id_of(begun_in)):
        return woken_by
    return begun_in
