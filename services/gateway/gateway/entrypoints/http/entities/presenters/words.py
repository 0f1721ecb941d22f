"""The words of this dialect where they are not the engine's: statuses, times, meta data."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from run_engine.domain.objects import Metadata
from run_engine.domain.status import RunStatus

from gateway.entrypoints.http.entities.requests.fields import shown

_STATUSES: Final[Mapping[RunStatus, str]] = MappingProxyType(
    {
        RunStatus.REQUIRES_ACTION: "action_required",
        # There is nothing that the client could do.
        RunStatus.AWAITING_TOOLS: "in_progress",
        # The original has no word for it, and its clients would wait on: an answer that was cut is an answer.
        RunStatus.INCOMPLETE: "completed",
    }
)


def run_status(status: RunStatus) -> str:
    """Return a run's status as the original knows it."""
    return _STATUSES.get(status, status.value)


def seconds(moment: datetime | None) -> int | None:
    """Return whole unix seconds."""
    return None if moment is None else int(moment.timestamp())


def iso(moment: datetime | None) -> str | None:
    """Return ISO 8601, in UTC."""
    return None if moment is None else moment.isoformat()


def meta_data(metadata: Metadata) -> dict[str, Any]:
    """Return the values that `meta_data` was given."""
    return {key: shown(value) for key, value in metadata.items()}
