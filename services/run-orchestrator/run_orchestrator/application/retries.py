"""What follows a failed call of the model: a pause and another try, or the end of the run. Pure. Used by `drive`."""

from dataclasses import dataclass
from typing import Final

from run_orchestrator.application.ending import ErrorCode, Failed
from run_orchestrator.application.failures import FailureKind, ModelFailure

_CODES: Final[dict[FailureKind, ErrorCode]] = {
    FailureKind.RATE_LIMITED: "rate_limit_exceeded",
    FailureKind.OUT_OF_QUOTA: "rate_limit_exceeded",
    FailureKind.UNAVAILABLE: "server_error",
    FailureKind.INVALID_PROMPT: "invalid_prompt",
    FailureKind.CONTEXT_OVERFLOW: "invalid_prompt",
    FailureKind.REFUSED: "server_error",
    FailureKind.UNUSABLE_REPLY: "server_error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently. Times are seconds."""

    tries: int = 6
    """Calls of a model that fails or does not answer, the first one included: with the pauses below about 15 s, longer
    than a restart of most servers."""
    tries_of_unusable_replies: int = 3
    """Fewer, because each one of them is paid for."""
    first_pause: float = 0.5
    """Doubled with each failure."""
    longest_pause: float = 8.0
    longest_pause_at_rate_limit: float = 30.0
    """Longer: rate limits are counted by the minute, and asking again counts too."""

    def pause_after(self, failure: ModelFailure, failures: int, remaining: float, jitter: float) -> float | None:
        """Seconds to wait after the `failures`-th failed call in a row; None: give up.

        `remaining` is what is left of the run's life, `jitter` a random number in [0, 1) that spreads the runs which
        one outage has hit. A server's own wish (`Retry-After`) is honoured where it is longer; a pause that the run
        would not survive is not begun.
        """
        match failure.kind:
            case FailureKind.RATE_LIMITED:
                pause = self._backoff(failures, self.longest_pause_at_rate_limit, jitter)
            case FailureKind.UNAVAILABLE if failures < self.tries:
                pause = self._backoff(failures, self.longest_pause, jitter)
            case FailureKind.UNUSABLE_REPLY if failures < self.tries_of_unusable_replies:
                pause = self._backoff(failures, self.longest_pause, jitter)
            case _:
                return None
        pause = max(pause, failure.retry_after or 0.0)
        return pause if pause < remaining else None

    def _backoff(self, failures: int, longest: float, jitter: float) -> float:
        # The exponent is bounded because a long life of short pauses would overflow a float.
        pause = min(longest, self.first_pause * 2.0 ** min(failures - 1, 16))
        return pause * (0.75 + jitter / 2)


def end_of(failure: ModelFailure) -> Failed:
    """How a run ends that gave up after this failure."""
    return Failed(_CODES[failure.kind], failure.detail)
