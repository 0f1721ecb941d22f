"""Takes queued runs and hands each to a driver: when an event says so, and by looking every second.

The events are only hints. What they do not reach (a lost wake-up, a moment without a free place) is found by looking.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from run_engine.errors import DatabaseUnavailable

from run_orchestrator.application.driven_runs import Drive, DrivenRuns
from run_orchestrator.application.places import Places
from run_orchestrator.application.ports import RunStore

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 1.0
"""Seconds between two looks for queued runs: what a lost wake-up costs a run at the most."""
LOOK_AT: Final = 50
"""Runs of one look: the others on the queue are left to other processes, and to the next look."""


class Claiming:
    """Claims runs while there are free places. `shuffle` keeps several processes from going for the same run."""

    def __init__(
        self,
        store: RunStore,
        places: Places,
        driven: DrivenRuns,
        drive: Drive,
        *,
        shuffle: Callable[[list[tuple[str, str]]], Any],
    ) -> None:
        self._store = store
        self._places = places
        self._driven = driven
        self._drive = drive
        self._shuffle = shuffle
        self._look_now = asyncio.Event()
        self._passed_over = False
        self._stopping = False
        places.watch(self._on_places)

    async def claim(self, tenant_id: str, run_id: str) -> None:
        """Claims a run and starts to drive it, unless there is no place or nothing to claim.

        One short statement. Raises `DatabaseUnavailable`; whether the run was claimed is then not known, and the lease
        sorts that out.
        """
        if not self._places.take():
            self._passed_over = True
            return
        run = None
        try:
            run = await self._store.claim(tenant_id, run_id)
        finally:
            if run is None:
                self._places.give_back()
        if run is not None:
            log.debug("a run was claimed", action="run_claimed", run_id=run.id, attempt=run.attempt)
            self._driven.start(run, self._drive, ended=self._places.give_back)

    async def look(self) -> None:
        """Claims queued runs as long as there are any and there is room. Raises `DatabaseUnavailable`."""
        while True:
            limit = min(self._places.free, LOOK_AT)
            if limit == 0:
                self._passed_over = True
                return
            found = list(await self._store.queued(limit))
            self._shuffle(found)
            for tenant_id, run_id in found:
                await self.claim(tenant_id, run_id)
            if len(found) < limit:
                return

    async def keep_looking(self) -> None:
        """Looks every second, and as soon as there is room again for runs that had to be passed over, until `stop`."""
        away = False
        while not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._look_now.wait()
            self._look_now.clear()
            try:
                await self.look()
                away = False
            except DatabaseUnavailable:
                if not away:
                    log.warning("looking for queued runs waits: the database is away", action="looking_waits")
                away = True

    def stop(self) -> None:
        """Ends `keep_looking` after what it does just now: a claim that is cut off in the middle may have happened."""
        self._stopping = True
        self._look_now.set()

    def _on_places(self, full: bool) -> None:
        if not full and self._passed_over:
            self._passed_over = False
            self._look_now.set()
