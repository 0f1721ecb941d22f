"""The runs that this process drives now, each in a task of its own, and how each of them is stopped.

`claiming` starts them, the lease of the process reads them and interrupts them (it is a `run_engine.lease.DrivenRuns`),
the shutdown drains them.
"""

import asyncio
from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Any, Final, TypeVar

import structlog
from run_engine.domain.objects import Json, Run
from run_engine.store.driving import Said

from run_orchestrator.application.delta_log import DeltaLog

log = structlog.get_logger(__name__)

Result = TypeVar("Result")
RunKey = tuple[str, str, int]
"""(tenant id, run id, attempt): one claim."""

HANDING_BACK_SECONDS: Final = 10.0
"""Longest wait for the runs that are handed back at the end: two statements each, with a margin for a slow database."""


class Interruption(IntEnum):
    """Why a run stops before its end. Of two reasons the higher one counts."""

    HANDED_BACK = 1
    """The process shuts down: others go on with it."""
    CANCELLED = 2
    """Its owner asked for that."""
    TAKEN_AWAY = 3
    """The run is somebody else's, or over: write nothing."""


class DrivenRun:
    """One claim, what was said against it, and what those who stream it are told."""

    def __init__(self, run: Run, wake: Callable[[DeltaLog], None]) -> None:
        self.run = run
        self.log = DeltaLog(run)
        self.wake = wake
        """Has the news of the log sent."""
        self.said: Callable[[], list[Json] | None] = _nothing
        """The content of the open message so far; None where there is none."""
        self.untold: Callable[[], Said | None] = _nothing
        """What was written while nobody listened; None where that is no message."""
        self.key: RunKey = (run.tenant_id, run.id, run.attempt)
        self.interruption: Interruption | None = None
        self._working: asyncio.Task[Any] | None = None
        self._cancelled = False

    async def until_interrupted(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """The result of `work`, or None once the run is interrupted; `work` has then been cancelled and has cleaned up.

        Outside of this call an interruption is only noted: a commit that is under way is never cut off.
        """
        if self.interruption is not None:
            work.close()
            return None
        self._working = asyncio.current_task()
        try:
            return await work
        except asyncio.CancelledError:
            if not self._cancelled or self._working is None:
                raise
            self._working.uncancel()
            return None
        finally:
            self._working = None

    def interrupt(self, interruption: Interruption) -> None:
        """Stops the work on the run, if there is any at this moment."""
        if self.interruption is None or interruption > self.interruption:
            self.interruption = interruption
        # Once only: a second cancellation would cut off the closing of the model's stream.
        if self._working is not None and not self._cancelled:
            self._cancelled = True
            self._working.cancel()


def _nothing() -> None:
    return None


Drive = Callable[[DrivenRun], Coroutine[Any, Any, None]]


class DrivenRuns:
    """All runs that are driven here. `wake` is told of logs that have news for those who stream."""

    def __init__(self, wake: Callable[[DeltaLog], None]) -> None:
        self._wake = wake
        self._runs: dict[RunKey, DrivenRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._handing_back = False

    def start(self, run: Run, drive: Drive, ended: Callable[[], None]) -> None:
        """Drives a claimed run in a task of its own, and calls `ended` when that is over, whatever its end."""
        driven = DrivenRun(run, self._wake)
        if self._handing_back:
            driven.interrupt(Interruption.HANDED_BACK)
        self._runs[driven.key] = driven

        def over(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            del self._runs[driven.key]
            driven.log.ended = True
            self._wake(driven.log)
            if not task.cancelled() and task.exception() is not None:
                # `drive` ends every run that it can; this is what it could not even report.
                log.error(
                    "a driver has died",
                    action="driver_died",
                    run_id=run.id,
                    error=type(task.exception()).__name__,
                )
            ended()

        task = asyncio.create_task(drive(driven))
        self._tasks.add(task)
        task.add_done_callback(over)

    def claims(self) -> frozenset[RunKey]:
        """All claims that have returned and are driven now."""
        return frozenset(self._runs)

    def taken_away(self, claim: RunKey) -> None:
        """Stops a run silently: it is somebody else's, or over."""
        self._interrupt(claim, Interruption.TAKEN_AWAY)

    def cancel_requested(self, claim: RunKey) -> None:
        """Stops a run that is to be cancelled."""
        self._interrupt(claim, Interruption.CANCELLED)

    def streamed_to(self, claim: RunKey, slots: frozenset[int]) -> None:
        """Has a run told to these slots from now on; a new one is told all that there is."""
        driven = self._runs.get(claim)
        if driven is not None and driven.log.tell_to(slots):
            self._wake(driven.log)

    def cancel(self, tenant_id: str, run_id: str) -> None:
        """Stops a run that an event says is to be cancelled, if it is driven here: sooner than the lease says so."""
        for driven in list(self._runs.values()):
            if driven.key[:2] == (tenant_id, run_id):
                driven.interrupt(Interruption.CANCELLED)

    async def drain(self, patience: float) -> None:
        """Lets the runs end for so many seconds, then hands back what is left."""
        if self._tasks:
            log.info("waiting for runs to end", action="draining", runs=len(self._tasks), seconds=patience)
        await self._until_none_is_left(patience)
        self._handing_back = True
        if self._tasks:
            log.info("handing runs back", action="handing_back", runs=len(self._tasks))
        for driven in list(self._runs.values()):
            driven.interrupt(Interruption.HANDED_BACK)
        await self._until_none_is_left(HANDING_BACK_SECONDS)

    def _interrupt(self, claim: RunKey, interruption: Interruption) -> None:
        driven = self._runs.get(claim)
        if driven is not None:
            driven.interrupt(interruption)

    async def _until_none_is_left(self, patience: float) -> None:
        deadline = asyncio.get_running_loop().time() + patience
        while self._tasks:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.wait(self._tasks, timeout=left)
