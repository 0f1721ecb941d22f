"""Drives one claimed run: lets `Work` find its ending, then commits that, or does what an interruption asks for.

Started by `claiming` as one task a run.
"""

import traceback
from collections.abc import Awaitable, Callable
from pathlib import PurePath
from typing import Final

import structlog
from run_engine.domain.objects import Run
from run_engine.errors import DatabaseUnavailable, Fenced

from run_orchestrator.application.driven_runs import DrivenRun, Interruption
from run_orchestrator.application.ending import CutShort, Ending, Failed, Finished, Parked
from run_orchestrator.application.patience import Patience
from run_orchestrator.application.ports import RunStore
from run_orchestrator.application.work import Work

log = structlog.get_logger(__name__)

OUR_FAULT: Final = Failed("server_error", "Sorry, something went wrong.")


class Driver:
    """Drives runs. Every write is fenced, so a run that was taken away meanwhile is simply let go."""

    def __init__(self, store: RunStore, work: Work, *, pause: Callable[[float], Awaitable[None]]) -> None:
        self._store = store
        self._work = work
        self._patience = Patience(pause)

    async def drive(self, driven: DrivenRun) -> None:
        """Drives a run to its end, or until it is interrupted."""
        driven.log.claimed(driven.run.claim_event)
        if driven.log.streamed:
            # To those who only wait the claim is no news: it goes with the end.
            driven.wake(driven.log)
        await self._drive(driven)
        driven.log.committed()

    async def _drive(self, driven: DrivenRun) -> None:
        run = driven.run
        try:
            ending: Ending | None = await driven.until_interrupted(self._work.ending_of(driven))
        except Fenced:
            await self._obey_cancel(driven)
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, the run must not hang
            _log_fault(run, error)
            ending = OUR_FAULT
        if ending is None:
            await self._stop(driven)
            return
        try:
            await self._commit(driven, ending)
        except Fenced:
            # Either it is not ours any more, or it was to be cancelled and cannot be parked: then it ends so.
            await self._obey_cancel(driven)
        except DatabaseUnavailable:
            log.warning("an ending could not be committed", action="ending_lost", run_id=run.id)
        except Exception as error:  # noqa: BLE001 - as above
            _log_fault(run, error)
            await self._quietly(lambda faulty: self._store.fail(faulty, OUR_FAULT, driven.said()), run)

    async def _commit(self, driven: DrivenRun, ending: Ending) -> None:
        """Commits, and again while the database is away; the fence makes a repeat harmless."""
        run = driven.run

        async def attempt() -> None:
            match ending:
                case Finished():
                    await self._store.finish(run, ending)
                case Parked():
                    await self._store.park(run, ending)
                case CutShort():
                    await self._store.cut_short(run, ending)
                case Failed():
                    await self._store.fail(run, ending, driven.said())

        # A cancellation does not end the waiting: the answer is there, and is kept if it is the first to be committed.
        await self._patience.until(
            attempt, given_up=lambda: driven.interruption in {Interruption.TAKEN_AWAY, Interruption.HANDED_BACK}
        )
        log.debug("a run was driven", action="run_driven", run_id=run.id, ending=type(ending).__name__.lower())

    async def _stop(self, driven: DrivenRun) -> None:
        run = driven.run
        if driven.interruption is Interruption.TAKEN_AWAY:
            log.info("a run was taken away", action="run_taken_away", run_id=run.id, attempt=run.attempt)
            return
        if driven.interruption is Interruption.CANCELLED:
            await self._obey_cancel(driven)
        # What is still ours now was never to be cancelled (an event was wrong), or is handed back by the shutdown.
        await self._quietly(lambda stopped: self._store.hand_back(stopped, driven.said()), run)

    async def _obey_cancel(self, driven: DrivenRun) -> None:
        # That it was to be cancelled is an event that the log does not know of.
        driven.log.committed()
        await self._quietly(
            lambda stopped: self._store.obey_cancel(stopped, driven.said(), driven.untold()), driven.run
        )

    async def _quietly(self, write: Callable[[Run], Awaitable[None]], run: Run) -> None:
        try:
            await write(run)
        except Fenced:
            log.debug("a run is not driven here any more", action="run_fenced", run_id=run.id)
        except DatabaseUnavailable:
            # The lease finds it: it is ours and nobody drives it.
            log.warning("a run could not be let go: the database is away", action="run_not_let_go", run_id=run.id)


def _log_fault(run: Run, error: Exception) -> None:
    """Logs where and what, without the message: errors of databases and parsers quote the values they were given."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    log.error(
        "driving a run failed",
        action="driver_fault",
        run_id=run.id,
        error=type(error).__name__,
        where=[f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    )
