"""The heartbeat of an event loop: how late it turns, as a metric, and whether it still does, for /healthz.

Run once a process, by `service_process` and `threadworks run`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from observability.metrics import Meters, Metric

LOOP_LAG: Final = Metric(
    name="threadworks_event_loop_lag_seconds",
    kind="histogram",
    help="How much later than it should the event loop of this process woke a sleeper, four times a second.",
)
"""What every request and every token of this process waits for: something holds the loop."""

BEAT_SECONDS: Final = 0.25
LONGEST_SILENCE: Final = 10.0
"""Seconds without a beat after which the loop counts as stuck. Kafka gives a member away after as long."""


class Heartbeat:
    """Beats from `start()` to `stop()`. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        meters: Meters,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._lag = meters.histogram(LOOP_LAG)
        self._clock = clock
        self._pause = pause
        self._last = clock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._last = self._clock()
        self._task = asyncio.create_task(self._beat(), name="heartbeat")

    async def stop(self) -> None:
        """Beat no more. Safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def check(self) -> str | None:
        """Return None while the loop turns, else since when it does not."""
        silent = self._clock() - self._last
        return None if silent <= LONGEST_SILENCE else f"the event loop has not turned for {silent:.0f} s"

    async def _beat(self) -> None:
        while True:
            before = self._clock()
            await self._pause(BEAT_SECONDS)
            self._last = self._clock()
            self._lag.observe(max(0.0, self._last - before - BEAT_SECONDS))
