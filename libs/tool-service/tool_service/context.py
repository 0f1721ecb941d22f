"""What a tool function may know about the call it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import SecretStr


def utc_now() -> datetime:
    """Return the time, aware, in UTC: the clock of a real process."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """One call. A function that has a parameter of this type gets it; the model does not see that parameter.

    `deadline` is when the answer must be there, already shortened to the function's own time-out; past it the function
    is cancelled. `arguments` of the call come as the function's parameters and are not repeated here. `credential` is
    the user's own, to be used instead of whatever the service has itself; None where the user gave none. While the
    function runs, it is masked in the log; it belongs into no output and no error either.
    """

    tenant: str
    run_id: str
    thread_id: str
    call_id: str
    deadline: datetime
    credential: SecretStr | None = None
    clock: Callable[[], datetime] = field(default=utc_now, repr=False)

    def time_left(self) -> float:
        """Return the seconds until the deadline, never below 0."""
        return max(0.0, (self.deadline - self.clock()).total_seconds())
