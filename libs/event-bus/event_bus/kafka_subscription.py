"""A member of a Kafka consumer group: fetches, commits by hand, follows rebalances, and survives its consumer.

Used by `kafka` for `subscribe`. What happens with a record is the dispatcher's business.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from event_bus.dispatcher import Dispatcher
from event_bus.incoming import IncomingRecord, Partition
from event_bus.kafka_positions import KafkaPositions
from event_bus.kafka_settings import KafkaSettings, consumer_options
from event_bus.kafka_teardown import stop_consumer
from event_bus.member import Member
from event_bus.task_ending import end_tasks
from event_bus.watchdog import SubscriptionStuck, Watchdog

log = structlog.get_logger(__name__)

_POLL_MILLISECONDS = 500
_ROOM_SECONDS = 0.1
"""How long fetching waits for a full lane before it goes on without it: a busy lane has room again much sooner."""
_REVOKE_SECONDS = 3.0
"""How long a rebalance waits for running handlers; well below the group's own limit of 10 s."""
_COMMIT_SECONDS = 5.0
_REBUILD_PAUSES = (0.2, 0.5, 1.0, 2.0)
_MOVED = (
    CommitFailedError,
    IllegalStateError,
    IllegalGenerationError,
    UnknownMemberIdError,
    RebalanceInProgressError,
)
"""A commit came too late: the partitions may be another member's. Effects are compare-and-set: repeats are harmless."""


class KafkaSubscription(Member):
    """One consumer after the other in the same group, for the same dispatcher, until `stop` or `failed`."""

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        group: str,
        topics: Sequence[str],
        make_dispatcher: Callable[..., Dispatcher],
    ) -> None:
        super().__init__(make_dispatcher(on_progress=self._note_progress, on_room=self._note_room))
        self._settings = settings
        self._group = group
        self._topics = tuple(topics)
        self._consumer: AIOKafkaConsumer | None = None
        self._progress = asyncio.Event()
        self._room = asyncio.Event()
        self._lost: set[asyncio.Task[None]] = set()
        self._positions = KafkaPositions()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(coroutine) for coroutine in (self._run(), self._commit_often(), self._watch())]
        for task in self._tasks:
            task.add_done_callback(self._task_ended)

    def lag(self) -> dict[str, int]:
        """See `Member.lag`."""
        return self._positions.lag(self._dispatcher.lanes)

    async def _stop(self) -> None:
        await end_tasks(self._tasks)
        await self._dispatcher.stop()
        if self._consumer is not None:
            await self._commit(self._consumer)
            await stop_consumer(self._consumer)
        if self._lost:
            await asyncio.wait(self._lost)

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._dispatcher.fail(error)

    async def _run(self) -> None:
        failures = 0
        while True:
            consumer = AIOKafkaConsumer(**consumer_options(self._settings, group=self._group))
            self._consumer = consumer
            try:
                consumer.subscribe(self._topics, listener=_Rebalances(self, consumer))
                await consumer.start()
                failures = 0
                await self._poll(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning(
                    "the consumer is lost and is built again",
                    action="consumer_lost",
                    group=self._group,
                    error_class=type(error).__name__,
                )
            self._lose(consumer)
            await asyncio.sleep(_REBUILD_PAUSES[min(failures, len(_REBUILD_PAUSES) - 1)])
            failures += 1

    def _lose(self, consumer: AIOKafkaConsumer) -> None:
        """Close a consumer while the next one is built: without a broker that takes its whole time-out."""
        self._consumer = None
        self._dispatcher.suspend()
        task = asyncio.get_running_loop().create_task(stop_consumer(consumer))
        self._lost.add(task)
        task.add_done_callback(self._lost.discard)

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await self._make_room(consumer)
            fetched = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS)
            for partition, records in fetched.items():
                self._dispatcher.feed(
                    Partition(partition.topic, partition.partition),
                    [IncomingRecord(r.topic, r.partition, r.offset, r.key, r.value, r.headers) for r in records],
                )
            # aiokafka does not give way to other tasks while it has something buffered.
            await asyncio.sleep(0)

    async def _make_room(self, consumer: AIOKafkaConsumer) -> None:
        """Fetch nothing more for full lanes. A fetch under way delays a partition that is resumed: so wait a little."""
        if self._dispatcher.full:
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ROOM_SECONDS):
                    await self._room.wait()
        for partition in consumer.assignment() - consumer.paused():
            if Partition(*partition) in self._dispatcher.full:
                consumer.pause(partition)

    def _note_room(self, partition: Partition) -> None:
        self._room.set()
        consumer = self._consumer
        if consumer is not None:
            with contextlib.suppress(IllegalStateError):
                consumer.resume(TopicPartition(*partition))

    def _note_progress(self) -> None:
        self._progress.set()

    async def _commit_often(self) -> None:
        while True:
            await self._progress.wait()
            self._progress.clear()
            if self._consumer is not None:
                await self._commit(self._consumer)
            await asyncio.sleep(self._settings.commit_interval)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what is new of the partitions that are still ours; what cannot be committed is delivered again."""
        assigned = consumer.assignment()
        offsets = {
            partition: offset
            for partition, offset in self._dispatcher.committable().items()
            if TopicPartition(*partition) in assigned
        }
        if not offsets:
            return
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await consumer.commit({TopicPartition(*partition): offset for partition, offset in offsets.items()})
        except _MOVED as error:
            log.info(
                "a commit came after a rebalance",
                action="commit_too_late",
                group=self._group,
                error=type(error).__name__,
            )
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("a commit failed", action="commit_failed", group=self._group, error_class=type(error).__name__)
            self._progress.set()
        else:
            self._dispatcher.committed(offsets)

    async def revoked(self, consumer: AIOKafkaConsumer) -> None:
        """A rebalance begins: let running handlers end, commit, and hand nothing out until the next assignment."""
        if consumer is not self._consumer:
            return
        self._dispatcher.suspend()
        await self._dispatcher.settled(_REVOKE_SECONDS)
        await self._commit(consumer)

    def assigned(self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> None:
        """A rebalance ended. Pauses belong to the dispatcher, so they hold for partitions that came just now."""
        if consumer is not self._consumer or self._stopping is not None:
            return
        self._dispatcher.assign(Partition(*partition) for partition in partitions)

    async def _watch(self) -> None:
        watchdog = Watchdog(limit=self._settings.watchdog_limit)
        while True:
            await asyncio.sleep(self._settings.watchdog_interval)
            if self._consumer is None:
                continue
            try:
                await self._look(self._consumer, watchdog)
            except SubscriptionStuck as error:
                self._dispatcher.fail(error)
                return
            except (KafkaError, OSError, TimeoutError) as error:
                log.info("end offsets are not known", action="watchdog_blind", error_class=type(error).__name__)

    async def _look(self, consumer: AIOKafkaConsumer, watchdog: Watchdog) -> None:
        assigned = consumer.assignment()
        if not assigned:
            # Nothing to look at. A consumer that has not reached a broker yet could not even be asked.
            return
        async with asyncio.timeout(self._settings.watchdog_interval):
            ends = await consumer.end_offsets(assigned)
            lanes = self._dispatcher.lanes
            await self._positions.look(consumer, ends, lanes)
        watchdog.keep_only(lanes)
        for topic_partition, end in ends.items():
            partition = Partition(*topic_partition)
            if (lane := lanes.get(partition)) is not None:
                watchdog.observe(
                    partition,
                    progress=(lane.offsets.next, lane.ended),
                    end_offset=end,
                    stands_still=lane.held,
                )


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's callbacks. It logs what they raise and goes on."""

    def __init__(self, subscription: KafkaSubscription, consumer: AIOKafkaConsumer) -> None:
        self._subscription = subscription
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._subscription.revoked(self._consumer)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._subscription.assigned(self._consumer, assigned)
