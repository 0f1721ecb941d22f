"""Moves what nobody else moves any more: every two seconds, in every orchestrator, safe on any number of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from run_engine.errors import DatabaseUnavailable
from run_engine.lease import LEASE
from run_engine.store.sweeps import Sweeps

log = structlog.get_logger(__name__)

TICK: Final = timedelta(seconds=2)
STALE: Final = timedelta(seconds=5)
"""A sweeper without a successful tick for so long has not seen whether the others could renew either."""
RETENTION: Final = timedelta(days=7)
"""How long the history of ended runs is kept for streams to resume from: as long as the topic of run events."""
PRUNE_EVERY: Final = timedelta(minutes=10)


class Sweeper:
    """Runs the sweeps. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        sweeps: Sweeps,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sweeps = sweeps
        self._clock = clock
        self._pause = pause
        self._last_success: float | None = None
        self._patient_until = 0.0
        self._next_prune = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to sweep."""
        self._task = asyncio.create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """Stops between two sweeps, or in the middle of one: each is a transaction of its own."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        while True:
            await self._pause(TICK.total_seconds())
            try:
                await self.tick()
            except DatabaseUnavailable:
                log.warning("sweeping waits: the database is away", action="sweep_failed")

    async def tick(self) -> None:
        """One sweep. Raises `DatabaseUnavailable`.

        After a pause (a new sweeper, or a database that was away) everybody gets one lease to show that they live,
        before anything is taken away from anybody.
        """
        now = self._clock()
        if self._last_success is None or now - self._last_success > STALE.total_seconds():
            self._patient_until = now + LEASE.total_seconds()
        moved = {
            "expired": await self._sweeps.expire_runs(),
            "queued": await self._sweeps.queue_idle_runs(),
            "timed_out": await self._sweeps.fail_overdue_calls(),
            "repeated": await self._sweeps.repeat_calls(),
        }
        if now >= self._patient_until:
            moved["taken_over"] = await self._sweeps.requeue_lost_runs(LEASE)
            moved["adopted"] = await self._sweeps.adopt_outbox(LEASE)
        if now >= self._next_prune:
            await self._sweeps.prune(RETENTION)
            self._next_prune = now + PRUNE_EVERY.total_seconds()
        self._last_success = now
        if any(moved.values()):
            log.info("the sweeper moved what nobody else did", action="swept", **moved)
