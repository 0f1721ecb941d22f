"""The task that publishes what a process has committed, and deletes it once it is acknowledged.

Rows are published in the order of their ids together with every older unpublished row of their threads, whoever owns
it: so first deliveries of a run are in `seq` order, and only repeats can follow late. Nothing is locked while sending.
Commits tell of their rows; those of a commit whose reply was lost are found by looking.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal

import structlog

from run_engine.domain.status import ENDED
from run_engine.errors import DatabaseUnavailable
from run_engine.outbox.rows import OutboxRow, OutboxTable

log = structlog.get_logger(__name__)

BATCH: Final = 500
"""Rows of one round: enough to keep the pipeline to the broker full, few enough to hold in memory many times over."""
RETRY_SECONDS: Final = 1.0
"""Pause after a round in which nothing could be published, or the database was away."""
LOOK_SECONDS: Final = 2.0
"""Between two looks for rows of ours that no commit has told of; also the longest that new rows go before those that
had to wait."""


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """The row can never be published; `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotNow:
    """The row could not be published at this moment."""

    reason: str


Delivery = Undeliverable | NotNow | None
"""What became of one row; None: acknowledged."""


Outcome = Literal["published", "retried", "rejected"]

_ENDINGS: Final = {f"threadworks.run.{status}.v1": status.value for status in ENDED}

Publish = Callable[[Sequence[OutboxRow]], Awaitable[Sequence[Delivery]]]
"""Sends rows in the given order, awaits all acknowledgements and gives one delivery for each row."""


class Relay:
    """Publishes the rows of one process. `poke` is called after each commit, from the same event loop."""

    def __init__(
        self,
        table: OutboxTable,
        publish: Publish,
        *,
        owner: str,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._table = table
        self._publish = publish
        self._owner = owner
        self._pause = pause
        # Dictionaries serve as ordered sets. New rows go before those that had to wait: what cannot be published must
        # not hold up what can. But now and then it is their turn, or they would wait for as long as new rows come.
        self._fresh: dict[int, None] = {}
        self._waiting: dict[int, None] = {}
        self._resting: dict[int, None] = {}
        self._turn_of_waiting = False
        self._batch = BATCH
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self.counts: Counter[tuple[str, Outcome]] = Counter()
        """Events by type, and what became of them."""
        self.runs_ended: Counter[tuple[str, str]] = Counter()
        """Runs by the status and the reason of their end, as their published events say."""

    @property
    def backlog(self) -> int:
        """Number of rows that this process knows of and has not published yet."""
        return len(self._fresh) + len(self._waiting) + len(self._resting)

    def poke(self, ids: Sequence[int]) -> None:
        """Adds committed rows."""
        self._fresh.update(dict.fromkeys(ids))
        self._idle.clear()
        self._work.set()

    def poke_within(self, ids: Sequence[int], seconds: float) -> None:
        """Adds committed rows that nobody waits for: they go with the next of their threads, or after so many seconds.

        So several commits of a run are one round, and take nothing from what its client waits for meanwhile.
        """
        self._resting.update(dict.fromkeys(ids))
        self._idle.clear()
        asyncio.get_running_loop().call_later(seconds, self._have_rested, ids)

    async def start(self) -> None:
        """Begins to publish."""
        self._tasks = [
            asyncio.create_task(self._run(), name="relay"),
            asyncio.create_task(self._keep_looking(), name="relay-look"),
        ]

    async def stop(self, timeout: float = 5.0) -> None:
        """Publishes what is pending for at most `timeout` seconds, then stops; the rest is adopted by others."""
        if not self._tasks:
            return
        self._have_rested(list(self._resting))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _have_rested(self, ids: Sequence[int]) -> None:
        # What is gone was published with younger rows of its thread.
        if rested := [row_id for row_id in ids if row_id in self._resting]:
            for row_id in rested:
                del self._resting[row_id]
            self.poke(rested)

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            if not self._fresh and not self._waiting:
                self._work.clear()
                if not self._resting:
                    self._idle.set()
                continue
            turn_of_waiting = not self._fresh or (self._turn_of_waiting and bool(self._waiting))
            ids = list(islice(self._waiting if turn_of_waiting else self._fresh, self._batch))
            progress, waiting = False, set(ids)
            # Where a round fails as a whole, the next ones are smaller: too much for a statement or one row that
            # nobody can handle must not keep the rows beside it for ever.
            self._batch = max(1, self._batch // 2)
            try:
                progress, waiting = await self._round(ids)
                self._batch = BATCH
            except DatabaseUnavailable:
                log.warning("events wait: the database is away", action="relay_waits", pending=self.backlog)
            except Exception as error:  # noqa: BLE001 - a relay that died would publish nothing any more
                log.error("a round of publishing failed", action="relay_fault", error=type(error).__name__)
            for row_id in ids:
                self._fresh.pop(row_id, None)
                self._waiting.pop(row_id, None)
            self._waiting.update(dict.fromkeys(row_id for row_id in ids if row_id in waiting))
            if turn_of_waiting:
                self._turn_of_waiting = False
            if not progress:
                await self._pause(RETRY_SECONDS)

    async def _round(self, ids: Sequence[int]) -> tuple[bool, set[int]]:
        """Publishes one batch. Whether that led anywhere, and the rows that have to be tried again."""
        rows = await self._table.unpublished(ids)
        deliveries = await self._publish(rows) if rows else []
        done: list[OutboxRow] = []
        refused: list[tuple[OutboxRow, str]] = []
        waiting: dict[int, str] = {}
        for row, delivery in zip(rows, deliveries, strict=True):
            match delivery:
                case None:
                    done.append(row)
                case Undeliverable(reason):
                    refused.append((row, reason))
                    self.counts[row.type, "rejected"] += 1
                case NotNow(reason):
                    waiting[row.id] = reason
                    self.counts[row.type, "retried"] += 1
        if done:
            await self._table.delete([row.id for row in done])
            self._count_published(done)
            for row in done:
                self._resting.pop(row.id, None)
        for row, reason in refused:
            log.error(
                "an event can never be published and was set aside",
                action="outbox_rejected",
                event_type=row.type,
                event_id=str(row.event_id),
                run_id=row.run_id,
                reason=reason,
            )
            await self._table.reject(row.id, reason)
        if waiting:
            log.warning(
                "events could not be published yet",
                action="publish_retry",
                rows=len(waiting),
                pending=self.backlog,
                reason=next(iter(waiting.values())),
            )
        return len(waiting) < len(rows) or not rows, set(waiting)

    def _count_published(self, rows: Sequence[OutboxRow]) -> None:
        for row in rows:
            self.counts[row.type, "published"] += 1
            status = _ENDINGS.get(row.type)
            if status is not None:
                self.runs_ended[status, _reason(row.data)] += 1

    async def _keep_looking(self) -> None:
        """Finds rows of ours that no commit has told of: its reply was lost, or whoever waited for it was cancelled."""
        while True:
            await self._pause(LOOK_SECONDS)
            self._turn_of_waiting = True
            try:
                owned = await self._table.owned(self._owner, BATCH)
            except DatabaseUnavailable:
                continue  # what publishes says so
            except Exception as error:  # noqa: BLE001 - as above
                log.error("looking for unpublished events failed", action="relay_fault", error=type(error).__name__)
                continue
            known = self._fresh.keys() | self._waiting.keys() | self._resting.keys()
            if forgotten := [row_id for row_id in owned if row_id not in known]:
                self.poke(forgotten)


def _reason(data: Mapping[str, Any]) -> str:
    """Why the run of an event has ended: the code of its error, or why it is incomplete."""
    run = data.get("run") or {}
    because = run.get("last_error") or run.get("incomplete_details") or {}
    return because.get("code") or because.get("reason") or "none"
