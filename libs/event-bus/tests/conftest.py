"""What the conformance suite needs of each implementation, and the means to watch handlers without sleeping."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from event_bus import EventBus, Message, OutgoingRecord, Subscription
from event_bus.dead_letters import TOPIC as DEAD_LETTERS
from event_bus.in_process import InProcessBus
from event_bus.incoming import IncomingRecord, Partition
from event_bus.kafka import KafkaBus, KafkaSettings
from event_bus.kafka_admin import ensure_topics
from event_bus.kafka_settings import client_options, reader_options
from event_bus.kafka_teardown import abort_consumer
from event_bus.retries import RetryPolicy
from message_contracts import catalogue, codec
from message_contracts.catalogue import Topic

PATIENCE = 30.0
"""Seconds until a test that waits for something gives up."""
QUICK = RetryPolicy(failure_pauses=(0.01, 0.02, 0.03), unavailable_first=0.02, unavailable_limit=0.1)
REQUESTED = "threadworks.run.requested.v1"


def declared(name: str, *, partitions: int = 3, compacted: bool = False) -> Topic:
    retention = None if compacted else timedelta(hours=1)
    return Topic(
        name=name,
        key="any",
        partitions=partitions,
        retention=retention,
        compacted=compacted,
        producers=(),
        consumers=(),
        message_types=(),
    )


class Harness(Protocol):
    """One implementation of the bus."""

    async def topic(self, *, partitions: int = 3, compacted: bool = False) -> str:
        """A new, empty topic."""

    def bus(self) -> EventBus:
        """A connection as a process of its own would have it."""

    async def crash(self, subscription: Subscription) -> None:
        """End a member as kill -9 would: nothing committed, nobody told."""

    async def records(self, topic: str) -> list[IncomingRecord]:
        """Everything that lies in a topic."""

    async def committed(self, subscription: Any, partition: Partition) -> int | None:
        """What the group of a member has acknowledged."""

    async def remove_before(self, topic: str, offset: int) -> int:
        """Have retention remove the first records of partition 0; returns the first offset that is kept."""

    async def stop(self) -> None:
        """Stop every bus."""


class InProcessHarness:
    def __init__(self) -> None:
        self._declared: list[Topic] = []
        self._bus = InProcessBus(retries=QUICK)

    async def topic(self, *, partitions: int = 3, compacted: bool = False) -> str:
        topic = declared(f"test.{uuid.uuid4().hex}", partitions=partitions, compacted=compacted)
        self._bus._topics._declared[topic.name] = topic
        return topic.name

    def bus(self) -> EventBus:
        return self._bus

    async def crash(self, subscription: Any) -> None:
        await subscription.crash()

    async def records(self, topic: str) -> list[IncomingRecord]:
        logs = self._bus._topics.partitions(topic).values()
        return [record for log in logs for record in log.read(0, most=100_000)]

    async def committed(self, subscription: Any, partition: Partition) -> int | None:
        committed: int | None = subscription._group._committed.get(partition)
        return committed

    async def remove_before(self, topic: str, offset: int) -> int:
        # It keeps the last 200 that nobody waits for, and no more of them is ever needed here.
        first = self._bus._topics.log(Partition(topic, 0)).first_offset
        assert first >= offset
        return first

    async def stop(self) -> None:
        await self._bus.stop()


class KafkaHarness:
    declared = staticmethod(declared)

    def __init__(self, bootstrap_servers: str) -> None:
        self.settings = KafkaSettings(
            bootstrap_servers=bootstrap_servers,
            client_id="conformance",
            commit_interval=0.05,
            session_timeout=6.0,
            heartbeat_interval=0.5,
            watchdog_interval=0.2,
        )
        self._buses: list[KafkaBus] = []

    async def topic(self, *, partitions: int = 3, compacted: bool = False) -> str:
        topic = declared(f"test.{uuid.uuid4().hex}", partitions=partitions, compacted=compacted)
        dead_letters = [one for one in catalogue.topics() if one.name == DEAD_LETTERS]
        await ensure_topics(self.settings, [topic, *dead_letters], replication_factor=1)
        return topic.name

    def bus(self) -> EventBus:
        bus = KafkaBus(self.settings, retries=QUICK)
        self._buses.append(bus)
        return bus

    async def crash(self, subscription: Any) -> None:
        for task in subscription._tasks:
            task.cancel()
        await asyncio.wait(subscription._tasks)
        await abort_consumer(subscription._consumer)
        subscription._consumer = None
        await subscription._dispatcher.stop(0)

    async def records(self, topic: str) -> list[IncomingRecord]:
        consumer = AIOKafkaConsumer(topic, **reader_options(self.settings))
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found: list[IncomingRecord] = []
            while any([await consumer.position(partition) < end for partition, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [
                        IncomingRecord(r.topic, r.partition, r.offset, r.key, r.value, r.headers) for r in records
                    ]
            return found
        finally:
            await consumer.stop()

    async def committed(self, subscription: Any, partition: Partition) -> int | None:
        committed: int | None = await subscription._consumer.committed(TopicPartition(*partition))
        return committed

    async def remove_before(self, topic: str, offset: int) -> int:
        admin = AIOKafkaAdminClient(**client_options(self.settings))
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
        finally:
            await admin.close()
        return offset

    async def stop(self) -> None:
        await asyncio.gather(*(bus.stop() for bus in self._buses))


class Seen:
    """Collects what handlers were given, and wakes up whoever waits for it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._changed = asyncio.Condition()

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)
        async with self._changed:
            self._changed.notify_all()

    @property
    def subjects(self) -> list[str]:
        return [message.subject for message in self.messages]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self._changed, asyncio.timeout(PATIENCE):
            await self._changed.wait_for(condition)

    async def count(self, number: int) -> None:
        await self.until(lambda: len(self.messages) >= number)

    async def all_of(self, subjects: Iterable[str]) -> None:
        wanted = set(subjects)
        await self.until(lambda: wanted <= set(self.subjects))


def build_message(subject: str, **changes: Any) -> Message:
    values: dict[str, Any] = {
        "type": REQUESTED,
        "source": "/threadworks/gateway",
        "subject": subject,
        "tenant": "tenant_1",
        "data": {"run": {"id": subject, "thread_id": "thread_1"}},
        "id": uuid.uuid4().hex,
        "time": datetime.now(UTC),
        **changes,
    }
    return Message(**values)


def build_record(
    topic: str, message: Message, *, key: str | None = None, partition: int | None = None
) -> OutgoingRecord:
    value, headers = codec.encode(message)
    return OutgoingRecord(
        topic=topic, key=None if key is None else key.encode(), value=value, headers=headers, partition=partition
    )


class Bench:
    """What a conformance test works with."""

    REQUESTED = REQUESTED
    PATIENCE = PATIENCE
    DEAD_LETTERS = DEAD_LETTERS
    message = staticmethod(build_message)
    record = staticmethod(build_record)
    Seen = Seen

    def __init__(self, harness: Harness, bus: EventBus) -> None:
        self.harness = harness
        self.bus = bus
        self.group = f"test-{uuid.uuid4().hex}"

    async def another_bus(self) -> EventBus:
        bus = self.harness.bus()
        await bus.start()
        return bus

    async def publish(self, topic: str, subjects: Iterable[str], *, partition: int | None = 0) -> None:
        """Valid messages, by default all on one partition; each must be acknowledged."""
        records = [build_record(topic, build_message(subject), partition=partition) for subject in subjects]
        assert await self.bus.publisher.publish(records) == [None] * len(records)

    async def subscribe(
        self,
        handler: Callable[[Message], Awaitable[None]],
        *topics: str,
        concurrency: int = 1,
        bus: EventBus | None = None,
        group: str | None = None,
    ) -> Any:
        return await (bus or self.bus).subscribe(
            group=group or self.group,
            topics=topics,
            handlers={REQUESTED: handler},
            service="test-service",
            concurrency=concurrency,
        )

    async def assigned(self, member: Any, number: int) -> None:
        """Return when the member owns that many partitions."""
        async with asyncio.timeout(PATIENCE):
            while len(member.assignment) != number:
                await asyncio.sleep(0.01)

    async def committed_offset(self, member: Any, topic: str, partition: int) -> int | None:
        return await self.harness.committed(member, Partition(topic, partition))

    async def committed(self, member: Any, topic: str, partition: int, offset: int) -> None:
        """Return when the group has acknowledged everything before that offset of a partition."""
        async with asyncio.timeout(PATIENCE):
            while await self.committed_offset(member, topic, partition) != offset:
                await asyncio.sleep(0.01)

    async def dead_letters(self, topic: str) -> list[IncomingRecord]:
        """Dead letters of the records of one topic."""
        records = await self.harness.records(DEAD_LETTERS)
        return [record for record in records if dict(record.headers)["dead_letter_topic"] == topic.encode()]


@pytest.fixture
def make_message() -> Callable[..., Message]:
    """`make_message(subject, **changes)`: a valid run.requested."""
    return build_message


@pytest.fixture
def make_record() -> Callable[..., OutgoingRecord]:
    """`make_record(topic, message, key=, partition=)`: its encoded form."""
    return build_record


@pytest.fixture
def seen() -> Seen:
    """A handler that collects messages."""
    return Seen()


@pytest.fixture
def kafka_harness() -> type[KafkaHarness]:
    """For tests that bring a broker of their own."""
    return KafkaHarness


@pytest.fixture(params=["in_process", "kafka"])
def harness(request: pytest.FixtureRequest) -> Harness:
    """Each implementation in turn; a real broker for the second."""
    if request.param == "in_process":
        return InProcessHarness()
    return KafkaHarness(request.getfixturevalue("kafka").bootstrap_servers)


@pytest.fixture
async def bench(harness: Harness) -> AsyncIterator[Bench]:
    """A started bus of one implementation."""
    bus = harness.bus()
    await bus.start()
    yield Bench(harness, bus)
    await harness.stop()
