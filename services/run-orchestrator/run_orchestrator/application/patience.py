"""Waits for a database that is away. Used by `work` and `drive`, in which a run waits rather than fails for it."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from run_engine.errors import DatabaseUnavailable

Result = TypeVar("Result")

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 2.0
"""Seconds; short, because a run that waits here holds a place and its client waits too."""


class Patience:
    """Repeats what `DatabaseUnavailable` has stopped."""

    def __init__(self, pause: Callable[[float], Awaitable[None]]) -> None:
        self._pause = pause

    async def read(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """What `attempt` returns as soon as the database lets it. Whoever drives the run stops this by cancelling."""
        return await self.until(attempt, given_up=_never)

    async def until(self, attempt: Callable[[], Awaitable[Result]], given_up: Callable[[], bool]) -> Result:
        """The same, and raises the `DatabaseUnavailable` itself once `given_up` says so."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await attempt()
            except DatabaseUnavailable:
                if given_up():
                    raise
            await self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _never() -> bool:
    return False
