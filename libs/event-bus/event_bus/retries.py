"""How long to wait before a handler is tried again: pure functions over two kinds of failure.

Used by `delivery`. A handler that fails is tried three times more in place; one that says `Unavailable` for ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Pauses in seconds. The defaults are for production; tests pass shorter ones."""

    failure_pauses: tuple[float, ...] = (0.05, 0.2, 0.8)
    """Before each further try of a handler that failed; after the last one the record is a dead letter."""
    unavailable_first: float = 0.2
    """Before the first further try while something is away; doubled from try to try."""
    unavailable_limit: float = 5.0
    """The longest pause while something is away: how late its return may be noticed."""

    def unavailable_pauses(self) -> Iterator[float]:
        """Doubling pauses up to the limit, without end."""
        pause = self.unavailable_first
        while True:
            yield min(pause, self.unavailable_limit)
            pause = min(pause * 2, self.unavailable_limit)
