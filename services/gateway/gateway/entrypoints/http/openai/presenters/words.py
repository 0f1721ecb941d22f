"""The words of this dialect where they are not the engine's: statuses and times."""

from datetime import datetime

from run_engine.domain.status import RunStatus


def shown_status(status: RunStatus | str) -> str:
    """Return a run's status as OpenAI knows it.

    A run that waits for tool services alone is in progress to its client: the pollers of the SDKs stop at
    requires_action, and there is nothing the client could do.
    """
    return RunStatus.IN_PROGRESS.value if status == RunStatus.AWAITING_TOOLS else str(status)


def seconds(moment: datetime | None) -> int | None:
    """Return whole unix seconds."""
    return None if moment is None else int(moment.timestamp())
