"""The task that publishes what a process has committed, and deletes it once it is acknowledged.

Rows are published in the order of their ids together with every older unpublished row of their threads, whoever owns
it: so first deliveries of a run are in `seq` order, and only repeats can follow late. Nothing is locked while sending.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from run_engine.errors import DatabaseUnavailable
from run_engine.outbox.rows import OutboxRow, OutboxTable

log = structlog.get_logger(__name__)

BATCH: Final = 500
"""Rows of one round: enough to keep the pipeline to the broker full, few enough to hold in memory many times over."""
RETRY_SECONDS: Final = 1.0
"""Pause after a round in which something could not be published or the database was away."""


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
        self._pending: dict[int, None] = {}
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """Number of rows that this process knows of and has not published yet."""
        return len(self._pending)

    def poke(self, ids: Sequence[int]) -> None:
        """Adds committed rows."""
        self._pending.update(dict.fromkeys(ids))
        self._idle.clear()
        self._work.set()

    async def start(self) -> None:
        """Begins to publish, with what this process owns already (after a restart under the same name, nothing)."""
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self, timeout: float = 5.0) -> None:
        """Publishes what is pending for at most `timeout` seconds, then stops; the rest is adopted by others."""
        if self._task is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            if not self._pending:
                self._work.clear()
                self._idle.set()
                continue
            ids = sorted(self._pending)[:BATCH] if len(self._pending) > BATCH else list(self._pending)
            try:
                clean = await self._round(ids)
            except DatabaseUnavailable:
                log.warning("events wait: the database is away", action="relay_waits", pending=len(self._pending))
                clean = False
            if not clean:
                await self._pause(RETRY_SECONDS)

    async def _round(self, ids: Sequence[int]) -> bool:
        """Publishes one batch; False when some of it has to be tried again."""
        rows = await self._table.unpublished(ids)
        deliveries = await self._publish(rows) if rows else []
        done: list[int] = []
        waiting: set[int] = set()
        for row, delivery in zip(rows, deliveries, strict=True):
            match delivery:
                case None:
                    done.append(row.id)
                case Undeliverable(reason):
                    log.error(
                        "an event can never be published and was set aside",
                        action="outbox_rejected",
                        event_type=row.type,
                        event_id=str(row.event_id),
                        run_id=row.run_id,
                        reason=reason,
                    )
                    await self._table.reject(row.id, reason)
                case NotNow(reason):
                    waiting.add(row.id)
                    log.warning(
                        "an event could not be published yet",
                        action="publish_retry",
                        event_type=row.type,
                        run_id=row.run_id,
                        reason=reason,
                    )
        if done:
            await self._table.delete(done)
        for row_id in ids:
            if row_id not in waiting:
                self._pending.pop(row_id, None)
        return not waiting
