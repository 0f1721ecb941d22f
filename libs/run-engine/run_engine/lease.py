"""The lease of one process: renewed every two seconds by one statement that also reports the runs it owns.

A run missing from the report was taken away, but only if its claim had returned before the renewal was sent: the
snapshot of a renewal may be older than a claim. A run that is reported twice and not driven here was claimed by a
statement whose reply was lost: it is handed back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

import structlog

from run_engine.domain.status import RunStatus
from run_engine.errors import DatabaseUnavailable, Fenced
from run_engine.store.driving import Driving
from run_engine.store.liveness import Liveness, OwnedRun

log = structlog.get_logger(__name__)

RENEWAL: Final = timedelta(seconds=2)
"""Between two renewals; also the longest that a cancellation waits for its worker to hear of it."""
LEASE: Final = timedelta(seconds=10)
"""A process that has not renewed for so long is dead: what it holds is taken over. Five missed renewals."""

RunKey = tuple[str, str, int]
"""(tenant id, run id, attempt): one claim."""


class DrivenRuns(Protocol):
    """The runs that a process drives at this moment, as its lease needs to know them."""

    def claims(self) -> frozenset[RunKey]:
        """All claims that have returned and are driven now."""

    def taken_away(self, claim: RunKey) -> None:
        """Stop driving, silently: the run is somebody else's, or over."""

    def cancel_requested(self, claim: RunKey) -> None:
        """Stop driving and end the run as cancelled."""

    def streamed_to(self, claim: RunKey, slots: frozenset[int]) -> None:
        """Send deltas to these slots, and to no others."""


class NothingDriven:
    """The driven runs of a process that drives none: a gateway holds a lease for its outbox rows only."""

    def claims(self) -> frozenset[RunKey]:
        """Always empty."""
        return frozenset()

    def taken_away(self, claim: RunKey) -> None:
        """Cannot happen."""

    def cancel_requested(self, claim: RunKey) -> None:
        """Cannot happen."""

    def streamed_to(self, claim: RunKey, slots: frozenset[int]) -> None:
        """Cannot happen."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one renewal means for this process. Computed by `compare`, pure."""

    taken_away: frozenset[RunKey]
    cancelling: frozenset[RunKey]
    unknown: frozenset[RunKey]
    """Owned, not driven here, and reported for the second time in a row: claims whose reply was lost."""
    seen_unknown: frozenset[RunKey]
    """Owned and not driven here: `unknown` if the next renewal reports them again."""


def compare(
    owned: frozenset[RunKey],
    cancelling: frozenset[RunKey],
    driven_before: frozenset[RunKey],
    driven_now: frozenset[RunKey],
    seen_unknown: frozenset[RunKey],
) -> Report:
    """Compares the runs that the database says are ours with those that we drive.

    `driven_before` are the claims that had returned when the renewal was sent, `driven_now` those driven when its
    reply came, `seen_unknown` the field of the report before.
    """
    strangers = owned - driven_now - driven_before
    return Report(
        taken_away=(driven_before & driven_now) - owned,
        cancelling=cancelling & driven_now,
        unknown=strangers & seen_unknown,
        seen_unknown=strangers,
    )


class Lease:
    """Keeps one process alive in the database and tells its runs what the database says of them."""

    def __init__(
        self,
        liveness: Liveness,
        driving: Driving | None,
        runs: DrivenRuns,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._liveness = liveness
        self._driving = driving
        self._runs = runs
        self._pause = pause
        self._seen_unknown: frozenset[RunKey] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self._handing_back: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Registers the process and begins to renew."""
        await self._liveness.register()
        self._task = asyncio.create_task(self._run(), name="lease")

    async def stop(self) -> None:
        """Ends the lease at once: what is left is free for others."""
        tasks = [task for task in (self._task, self._handing_back) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = self._handing_back = None
        with suppress(DatabaseUnavailable):
            await self._liveness.retire()

    async def _run(self) -> None:
        while True:
            await self._pause(RENEWAL.total_seconds())
            try:
                await self.renew()
            except DatabaseUnavailable:
                log.warning("the lease could not be renewed: the database is away", action="lease_renewal_failed")
            except Exception as error:  # noqa: BLE001 - without its lease a process loses every run
                log.error("a renewal failed", action="lease_fault", error=type(error).__name__)

    async def renew(self) -> None:
        """One renewal, and what follows from it. Raises `DatabaseUnavailable`."""
        before = self._runs.claims()
        owned = await self._liveness.renew()
        driven = self._runs.claims()
        report = compare(
            owned=frozenset(map(_key, owned)),
            cancelling=frozenset(_key(run) for run in owned if run.status is RunStatus.CANCELLING),
            driven_before=before,
            driven_now=driven,
            seen_unknown=self._seen_unknown,
        )
        self._seen_unknown = report.seen_unknown
        for claim in report.taken_away:
            _tell(self._runs.taken_away, claim)
        for claim in report.cancelling:
            _tell(self._runs.cancel_requested, claim)
        for run in owned:
            if _key(run) in driven:
                _tell(partial(self._runs.streamed_to, slots=run.stream_slots), _key(run))
        # In a task of its own, because it may have to wait for locks, and a renewal must not.
        if self._driving is not None and report.unknown and (self._handing_back is None or self._handing_back.done()):
            self._handing_back = asyncio.create_task(_hand_back(self._driving, report.unknown), name="hand-back")


async def _hand_back(driving: Driving, claims: frozenset[RunKey]) -> None:
    for tenant_id, run_id, attempt in claims:
        log.warning("a claim without a driver is handed back", action="claim_handed_back", run_id=run_id)
        try:
            await driving.hand_back(tenant_id, run_id, attempt)
        except Fenced:
            log.debug("it is not ours any more", action="claim_fenced", run_id=run_id)
        except Exception as error:  # noqa: BLE001 - the next report names it again
            log.error(
                "it could not be handed back", action="hand_back_failed", run_id=run_id, error=type(error).__name__
            )


def _tell(hear: Callable[[RunKey], None], claim: RunKey) -> None:
    try:
        hear(claim)
    except Exception as error:  # noqa: BLE001 - the next report says it again, and the others must hear theirs
        log.error("a run could not be told", action="lease_fault", run_id=claim[1], error=type(error).__name__)


def _key(run: OwnedRun) -> RunKey:
    return (run.tenant_id, run.run_id, run.attempt)
