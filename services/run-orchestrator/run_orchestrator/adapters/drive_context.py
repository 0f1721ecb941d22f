"""What the driving of a run happens within: its fields in the log, and its span. `bootstrap` puts it around."""

from observability.log_context import LogContext
from observability.tracing import Value, span

from run_orchestrator.application.driven_runs import Drive, DrivenRun


def in_context(drive: Drive) -> Drive:
    """Return `drive` with its run bound to the log, as a span of the trace that the run belongs to."""

    async def drive_in_context(driven: DrivenRun) -> None:
        run = driven.run
        attributes: dict[str, Value] = {"threadworks.run_id": run.id, "threadworks.attempt": run.attempt}
        with LogContext(run_id=run.id, attempt=run.attempt), span("drive run", attributes=attributes):
            await drive(driven)

    return drive_in_context
