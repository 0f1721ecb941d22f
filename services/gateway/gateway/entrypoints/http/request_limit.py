"""How many requests one address may make in a minute: for dialects that know their callers by nothing else.

A moving window in memory, for each gateway process on its own. Written here because the library for it (`limits`) looks
through all known addresses, with a thread for each, whenever one asks: with 2 000 of them ten requests a second took
half a core.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import Scope

WINDOW: Final = 60.0
"""Seconds."""


class TooManyRequests(Exception):
    """The address has made as many requests as it may."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait for {seconds} seconds")
        self.seconds = seconds
        """After which one more is taken."""


class Callers(Protocol):
    """Whose requests are counted together."""

    def of(self, scope: Scope) -> str:
        """Return the name of a request's caller."""
        ...


class RequestLimit:
    """Counts the requests of each caller; `clock` is monotonic, in seconds."""

    def __init__(self, addresses: Callers, most: int, clock: Callable[[], float]) -> None:
        self._addresses = addresses
        self._most = most
        self._clock = clock
        # Whoever asked last is last, so the first are those that may be forgotten.
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def admit(self, scope: Scope) -> None:
        """Count a request. Raises `TooManyRequests`; one that is refused does not count."""
        now, address = self._clock(), self._addresses.of(scope)
        self._forget(now)
        times = self._times.setdefault(address, deque())
        while times and times[0] <= now - WINDOW:
            times.popleft()
        if len(times) >= self._most:
            raise TooManyRequests(math.ceil(times[0] + WINDOW - now))
        times.append(now)
        self._times.move_to_end(address)

    def _forget(self, now: float) -> None:
        while self._times:
            address, times = next(iter(self._times.items()))
            if times and times[-1] > now - WINDOW:
                return
            del self._times[address]
