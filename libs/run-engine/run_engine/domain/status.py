"""The statuses a run, a step and a message can have, in the engine's words.

Dialects show them in their own words: OpenAI has no `awaiting_tools` and sees `in_progress` instead, because the
pollers of its SDKs stop at `requires_action`.
"""

from enum import StrEnum
from typing import Final


class RunStatus(StrEnum):
    """Where a run stands. `domain.moves` holds the table of how it gets from one to the next."""

    QUEUED = "queued"
    """Waits for an orchestrator; no worker."""
    IN_PROGRESS = "in_progress"
    """One worker drives it."""
    REQUIRES_ACTION = "requires_action"
    """Parked: the client has to answer tool calls (services may have to, too)."""
    AWAITING_TOOLS = "awaiting_tools"
    """Parked: tool services have to answer."""
    CANCELLING = "cancelling"
    """Driven, and to be stopped by its worker at the next renewal of its lease."""
    COMPLETED = "completed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether the run can move no more."""
        return self in ENDED


ENDED: Final = frozenset(
    {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.INCOMPLETE, RunStatus.CANCELLED, RunStatus.EXPIRED}
)
UNFINISHED: Final = frozenset(RunStatus) - ENDED
PARKED: Final = frozenset({RunStatus.REQUIRES_ACTION, RunStatus.AWAITING_TOOLS})
DRIVEN: Final = frozenset({RunStatus.IN_PROGRESS, RunStatus.CANCELLING})
"""The statuses in which a run has a worker, and every write of that worker is fenced."""


class StepStatus(StrEnum):
    """Where a run step stands; it ends with, or before, its run."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class MessageStatus(StrEnum):
    """Whether a message's text is all there."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
