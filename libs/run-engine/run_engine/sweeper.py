"""Moves what nobody else moves any more: every two seconds, in every orchestrator, safe on any number of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from run_engine.errors import DatabaseUnavailable
from run_engine.lease import LEASE
from run_engine.store.sweeps import BATCH, Sweeps

log = structlog.get_logger(__name__)

TICK: Final = timedelta(seconds=2)
STALE: Final = timedelta(seconds=5)
"""A sweeper that the database has not answered for so long does not know whether the others could renew either."""
RETENTION: Final = timedelta(days=7)
"""How long the history of ended runs is kept for streams to resume from: as long as the topic of run events."""
KEY_RETENTION: Final = timedelta(hours=24)
"""How long a request with an idempotency key can be repeated and gets its first reply: a day is the custom."""
PRUNE_EVERY: Final = timedelta(minutes=10)
ROUNDS: Final = 20
"""Batches of one sweep and tick at the most: 2000 lost runs are taken over at once, and no sweep takes for ever."""

Sweep = Callable[[], Awaitable[int]]


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
        self._last_answer: float | None = None
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
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            await self._pause(TICK.total_seconds())
            try:
                await self.tick()
            except DatabaseUnavailable:
                log.warning("sweeping waits: the database is away", action="sweep_failed")

    async def tick(self) -> None:
        """One round of sweeps. Raises `DatabaseUnavailable`.

        After a pause (a new sweeper, or a database that was away) everybody gets one lease to show that they live,
        before anything is taken away from anybody.
        """
        sweeps = self._sweeps
        moved = await self._sweep(
            {
                "expired": sweeps.expire_runs,
                "queued": sweeps.queue_idle_runs,
                "timed_out": sweeps.fail_overdue_calls,
                "repeated": sweeps.repeat_calls,
            }
        )
        if self._clock() >= self._patient_until:
            moved |= await self._sweep({"taken_over": self._take_over, "adopted": partial(sweeps.adopt_outbox, LEASE)})
        if any(moved.values()):
            log.info("the sweeper moved what nobody else did", action="swept", **moved)
        if self._clock() >= self._next_prune:
            self._next_prune = self._clock() + PRUNE_EVERY.total_seconds()
            pruned = await self._sweep(
                {
                    "history": partial(sweeps.prune_history, RETENTION),
                    "keys": partial(sweeps.prune_keys, KEY_RETENTION),
                    "workers": partial(sweeps.prune_workers, RETENTION),
                }
            )
            if max(pruned.values()) >= ROUNDS * BATCH:  # there is more, and the next tick goes on with it
                self._next_prune = self._clock()

    async def _take_over(self) -> int:
        try:
            async with asyncio.timeout(STALE.total_seconds()):
                return await self._sweeps.requeue_lost_runs(LEASE)
        except TimeoutError as late:
            # Where the database stood still in the middle of this, the others could not renew meanwhile.
            raise DatabaseUnavailable("PostgreSQL stood still") from late

    async def _sweep(self, sweeps: Mapping[str, Sweep]) -> dict[str, int]:
        """Runs each sweep as long as it finds full batches; one that fails keeps no other from running."""
        moved = dict.fromkeys(sweeps, 0)
        for name, sweep in sweeps.items():
            try:
                for _ in range(ROUNDS):
                    batch = await sweep()
                    self._answered()
                    moved[name] += batch
                    if batch < BATCH:
                        break
            except DatabaseUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - the other sweeps, and the next tick, must not depend on it
                log.error("a sweep failed", action="sweep_fault", sweep=name, error=type(error).__name__)
        return moved

    def _answered(self) -> None:
        now = self._clock()
        if self._last_answer is None or now - self._last_answer > STALE.total_seconds():
            self._patient_until = now + LEASE.total_seconds()
        self._last_answer = now
