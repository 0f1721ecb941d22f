"""The records of one partition on their way through the handlers: in order, or several at once.

Used by `dispatcher`, which has one lane for each partition that its member owns.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from event_bus.delivery import Ending, Waiting
from event_bus.incoming import IncomingRecord
from event_bus.low_water import LowWaterMark

log = structlog.get_logger(__name__)

HIGH = 200
"""Records that wait in a lane before no more are fetched for it; one more batch may still arrive."""
LOW = HIGH // 2
"""Records that wait when fetching goes on."""

Deliver = Callable[[IncomingRecord, Waiting], Awaitable[Ending]]


class Lane:
    """A queue with up to `concurrency` workers, which exist only while there is something to do.

    A lane stands still while its topic is paused (`set_open`), while its group rebalances (`suspend`), and while
    something that a handler needs is away. Running handlers are never interrupted by that.
    """

    def __init__(self, *, deliver: Deliver, concurrency: int, is_open: bool, on_progress: Callable[[], None]) -> None:
        self._deliver = deliver
        self._concurrency = concurrency
        self._open = is_open
        self._on_progress = on_progress
        self._queue: deque[IncomingRecord] = deque()
        self._workers: dict[asyncio.Task[None], bool] = {}
        """Running workers, and whether each waits for something to come back."""
        self._suspended = False
        self._closed = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._known_until: int | None = None
        self._start_is_checked = True
        self.offsets = LowWaterMark()
        self.ended = 0
        """Records that ended here, for the watchdog."""

    @property
    def waiting(self) -> int:
        """Records that were fetched and not started."""
        return len(self._queue)

    @property
    def held(self) -> bool:
        """Whether nothing is started because the topic is paused or something is away."""
        return not self._open or any(self._workers.values())

    @property
    def workers(self) -> list[asyncio.Task[None]]:
        """The running tasks."""
        return list(self._workers)

    def feed(self, records: Sequence[IncomingRecord]) -> None:
        """Take over records in the order of their offsets."""
        if self._closed.is_set():
            return
        for record in records if self._known_until is None else self._new_ones(records):
            self.offsets.accept(record.offset)
            self._queue.append(record)
        self._employ()

    def set_open(self, is_open: bool) -> None:
        """Pause or resume the topic."""
        self._open = is_open
        self._employ()

    def suspend(self) -> None:
        """Start nothing: the group is about to give the partitions away."""
        self._suspended = True

    def rejoin(self) -> None:
        """The partition stayed here. Reading starts again at the committed offset, so known records come again."""
        self._suspended = False
        self._known_until = self.offsets.next
        self._start_is_checked = False
        self._employ()

    async def settled(self) -> None:
        """Return when no worker runs but those that wait for something to come back."""
        await self._settled.wait()

    def close(self) -> None:
        """The partition is not ours any more: forget what waits. What runs may end, without an acknowledgement."""
        self._closed.set()
        self._queue.clear()

    def _new_ones(self, records: Sequence[IncomingRecord]) -> Sequence[IncomingRecord]:
        """After a rebalance: without the records that are here already."""
        restart, known_until = self.offsets.restart, self._known_until
        if records and not self._start_is_checked:
            self._start_is_checked = True
            if restart is not None and records[0].offset < restart:
                log.warning("a partition starts before its commit", action="offsets_went_back", **records[0].place)
                self._queue.clear()
                self.offsets = LowWaterMark()
                self._known_until = None
                return records
        new = [record for record in records if known_until is None or record.offset >= known_until]
        if new:
            self._known_until = None
        return new

    def _employ(self) -> None:
        while len(self._workers) < self._concurrency and self._may_start():
            worker = asyncio.get_running_loop().create_task(self._work(self._queue.popleft()))
            self._workers[worker] = False
            worker.add_done_callback(self._left)
        self._note_settled()

    def _may_start(self) -> bool:
        return bool(self._queue) and not self._suspended and not self.held and not self._closed.is_set()

    async def _work(self, record: IncomingRecord) -> None:
        errand = _Errand(self, asyncio.current_task())
        while True:
            offsets = self.offsets
            ending = await self._deliver(record, errand)
            self.mark_blocked(errand.worker, is_blocked=False)
            if ending is Ending.GIVEN_UP:
                return
            offsets.end(record.offset)
            self.ended += 1
            if not self._closed.is_set():
                self._on_progress()
            if not self._may_start():
                return
            record = self._queue.popleft()
            self._employ()

    def _left(self, worker: asyncio.Task[None]) -> None:
        del self._workers[worker]
        if worker.cancelled():
            self.close()
        self._employ()

    def mark_blocked(self, worker: "asyncio.Task[None] | None", *, is_blocked: bool) -> None:
        """A worker waits for something to come back, and the others start nothing new; or it waits no more."""
        if worker is not None and self._workers.get(worker) is not is_blocked:
            self._workers[worker] = is_blocked
            self._note_settled()

    async def wait(self, seconds: float) -> bool:
        """Wait; False when the lane was closed meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        return not self._closed.is_set()

    def _note_settled(self) -> None:
        if all(self._workers.values()):
            self._settled.set()
        else:
            self._settled.clear()


class _Errand:
    """One worker of a lane, as `Waiting` for the records that it delivers."""

    __slots__ = ("_lane", "worker")

    def __init__(self, lane: Lane, worker: "asyncio.Task[None] | None") -> None:
        self._lane = lane
        self.worker = worker

    def blocked(self) -> None:
        self._lane.mark_blocked(self.worker, is_blocked=True)

    async def wait(self, seconds: float) -> bool:
        return await self._lane.wait(seconds)
