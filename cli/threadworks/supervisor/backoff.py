"""How long a part that died waits for its restart. Pure."""

from typing import Final

FIRST_SECONDS: Final = 0.2
LAST_SECONDS: Final = 10.0
STABLE_SECONDS: Final = 20.0
"""A part that lived for so long is healthy: its next death counts as the first."""


class Backoff:
    """The delays of one part: doubled at each death in a row, up to ten seconds."""

    def __init__(self) -> None:
        self._deaths = 0

    def delay(self, lived: float) -> float:
        """Seconds to wait after the part lived for `lived` seconds."""
        if lived >= STABLE_SECONDS:
            self._deaths = 0
        delay: float = min(FIRST_SECONDS * 2**self._deaths, LAST_SECONDS)
        self._deaths += 1
        return delay
