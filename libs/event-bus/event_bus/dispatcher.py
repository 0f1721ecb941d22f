"""One member's share of a group's work: its lanes, what may be committed, and when to give up for good.

Used by both implementations of the bus, which feed it with records and carry its offsets away. No Kafka in here.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial

import structlog

from event_bus.delivery import DeadLetterGraveyard, Delivery, Ending, Waiting
from event_bus.incoming import IncomingRecord, Partition
from event_bus.interface import Around, HandlerTable, Publisher
from event_bus.lane import HIGH, LOW, Lane
from event_bus.retries import RetryPolicy

log = structlog.get_logger(__name__)

POISON_LIMIT = 20
"""Dead letters in a row, with nothing handled or skipped between them, that end a subscription."""
STOP_SECONDS = 10.0
"""How long running handlers may take at a stop before they are cancelled."""


class EverythingFails(Exception):
    """Every record became a dead letter: the fault is here or in a producer, so the topic is not drained away."""


class Dispatcher:
    """The lanes of the partitions that one member owns.

    `on_room` is called with a partition that fetching may go on for; `on_progress` when there is something to commit.
    """

    def __init__(
        self,
        *,
        group: str,
        service: str,
        handlers: HandlerTable,
        publisher: Publisher,
        concurrency: int,
        retries: RetryPolicy,
        around: Around = nullcontext,
        on_progress: Callable[[], None],
        on_room: Callable[[Partition], None],
    ) -> None:
        if concurrency < 1:
            raise ValueError("concurrency is at least 1")
        graveyard = DeadLetterGraveyard(publisher=publisher, service=service, group=group, retries=retries)
        self._delivery = Delivery(
            handlers=handlers, graveyard=_Limited(graveyard, self), retries=retries, around=around
        )
        self.group = group
        """The consumer group."""
        self._concurrency = concurrency
        self._on_progress = on_progress
        self._on_room = on_room
        self._paused: set[str] = set()
        self._lanes: dict[Partition, Lane] = {}
        self._full: set[Partition] = set()
        self._retired: list[Lane] = []
        self._dead_in_a_row = 0
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    @property
    def counts(self) -> Counter[tuple[str, Ending]]:
        """Records by topic and ending."""
        return self._delivery.counts

    @property
    def lanes(self) -> dict[Partition, Lane]:
        """The lanes of the partitions that are ours now."""
        return self._lanes

    @property
    def full(self) -> set[Partition]:
        """Partitions with so many waiting records that nothing more should be fetched for them."""
        return self._full

    def assign(self, partitions: Iterable[Partition]) -> None:
        """These partitions are ours now, and no others. Lanes of partitions that stayed go on where they are."""
        wanted = set(partitions)
        for partition in self._lanes.keys() - wanted:
            self._retire(partition)
        for partition in wanted:
            if (lane := self._lanes.get(partition)) is not None:
                lane.rejoin()
            elif not self.failed.done():
                self._lanes[partition] = self._new_lane(partition)

    def suspend(self) -> None:
        """A rebalance begins: start nothing new."""
        for lane in self._lanes.values():
            lane.suspend()

    async def settled(self, seconds: float) -> None:
        """Wait up to that long for the running handlers, but for those that wait for something to come back."""
        if self._lanes:
            waiting = [asyncio.ensure_future(lane.settled()) for lane in self._lanes.values()]
            _, late = await asyncio.wait(waiting, timeout=seconds)
            for task in late:
                task.cancel()

    def feed(self, partition: Partition, records: Sequence[IncomingRecord]) -> None:
        """Records of one of our partitions, in order. Those of others are dropped: they belong to another member."""
        lane = self._lanes.get(partition)
        if lane is not None:
            lane.feed(records)
            if lane.waiting >= HIGH:
                self._full.add(partition)

    def pause(self, *topics: str) -> None:
        """Start no record of these topics until `resume`, whoever the partitions come and go to meanwhile."""
        self._paused.update(topics)
        self._reopen(topics)

    def resume(self, *topics: str) -> None:
        """Start records of these topics again."""
        self._paused.difference_update(topics)
        self._reopen(topics)

    def committable(self) -> dict[Partition, int]:
        """For each partition with something new: the offset before which everything has ended."""
        return {
            partition: offset
            for partition, lane in self._lanes.items()
            if (offset := lane.offsets.committable) is not None
        }

    def committed(self, offsets: dict[Partition, int]) -> None:
        """The group has these offsets now."""
        for partition, offset in offsets.items():
            if (lane := self._lanes.get(partition)) is not None:
                lane.offsets.committed(offset)

    def fail(self, error: BaseException) -> None:
        """Stop for good. What is acknowledged so far stays so."""
        if self.failed.done():
            return
        log.error(
            "a subscription has ended for good",
            action="subscription_failed",
            group=self.group,
            error_class=type(error).__name__,
            reason=str(error) if isinstance(error, EverythingFails) else None,
        )
        self.failed.set_result(error)
        for lane in self._lanes.values():
            lane.close()

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Start nothing more, wait up to that long for running handlers, then cancel them."""
        lanes = [*self._lanes.values(), *self._retired]
        for lane in lanes:
            lane.close()
        running = [worker for lane in lanes for worker in lane.workers]
        if running:
            _, late = await asyncio.wait(running, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _deliver(self, partition: Partition, record: IncomingRecord, waiting: Waiting) -> Ending:
        """One record of a lane to its end, and what follows from it for the whole subscription."""
        lane = self._lanes.get(partition)
        if partition in self._full and lane is not None and lane.waiting <= LOW:
            self._full.discard(partition)
            self._on_room(partition)
        try:
            ending = await self._delivery.deliver(record, waiting)
        except Exception as error:  # noqa: BLE001 - a fault of ours: stopping is better than losing records in silence
            self.fail(error)
            return Ending.GIVEN_UP
        if ending in (Ending.HANDLED, Ending.SKIPPED):
            self._dead_in_a_row = 0
        return ending

    def another_dead_letter(self) -> bool:
        """Whether one more may be written; if not, the subscription ends here."""
        self._dead_in_a_row += 1
        if self._dead_in_a_row < POISON_LIMIT:
            return True
        self.fail(EverythingFails(f"{POISON_LIMIT} records in a row could not be handled"))
        return False

    def _new_lane(self, partition: Partition) -> Lane:
        return Lane(
            deliver=partial(self._deliver, partition),
            concurrency=self._concurrency,
            is_open=partition.topic not in self._paused,
            on_progress=self._on_progress,
        )

    def _reopen(self, topics: Sequence[str]) -> None:
        for partition, lane in self._lanes.items():
            if partition.topic in topics:
                lane.set_open(partition.topic not in self._paused)

    def _retire(self, partition: Partition) -> None:
        lane = self._lanes.pop(partition)
        self._full.discard(partition)
        lane.close()
        self._retired = [other for other in (*self._retired, lane) if other.workers]


class _Limited:
    """A graveyard that asks first whether everything fails."""

    def __init__(self, graveyard: DeadLetterGraveyard, dispatcher: Dispatcher) -> None:
        self._graveyard = graveyard
        self._dispatcher = dispatcher

    async def bury(self, record: IncomingRecord, error: Exception, waiting: Waiting) -> Ending:
        if not self._dispatcher.another_dead_letter():
            return Ending.GIVEN_UP
        return await self._graveyard.bury(record, error, waiting)
