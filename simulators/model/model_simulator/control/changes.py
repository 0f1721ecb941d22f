"""Lets a long poll wait until something is so, instead of asking again and again."""

import asyncio
from collections.abc import Callable


class Changes:
    """Wakes those who wait whenever the state changed. Costs nothing while nobody waits."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Say that something changed."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait_until(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Return True as soon as `holds()` does, False when it still does not after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while not holds():
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiters.discard(waiter)
        except TimeoutError:
            return holds()
        return True
