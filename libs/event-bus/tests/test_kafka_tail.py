"""The Kafka tail with consumers that cannot find the end, are stuck or fail, and on a broker that goes away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from event_bus.kafka import KafkaBus
from event_bus.kafka_settings import KafkaSettings, tail_options
from event_bus.kafka_tail import KafkaTail
from event_bus.kafka_teardown import abort_producer
from threadworks.local_servers import LocalKafka

SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:1", client_id="test", watchdog_interval=0.02)
TWO = TopicPartition("topic", 2)


class FakeConsumer:
    """Knows what it was asked for. What it answers is set by each test."""

    made: ClassVar[list["FakeConsumer"]] = []
    at_end: ClassVar[Callable[[], bool]]
    end: ClassVar[Callable[[], int]]

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.assigned: set[TopicPartition] = set()
        self.sought: list[TopicPartition] = []
        self.stopped = asyncio.Event()
        FakeConsumer.made.append(self)

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped.set()

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = set(partitions)

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    async def seek_to_end(self, partition: TopicPartition) -> bool:
        self.sought.append(partition)
        return FakeConsumer.at_end()

    async def end_offsets(self, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, FakeConsumer.end())

    async def position(self, _: TopicPartition) -> int:
        return 5

    async def getmany(self, *, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0)
        return {}


@pytest.fixture
async def tail(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[], Any]]:
    """`await tail()`: one that reads from fake consumers, without a pause between them."""
    monkeypatch.setattr("event_bus.kafka_tail.AIOKafkaConsumer", FakeConsumer)
    monkeypatch.setattr("event_bus.kafka_standing_reader._REBUILD_SECONDS", 0)
    FakeConsumer.made = []
    FakeConsumer.at_end, FakeConsumer.end = staticmethod(lambda: True), staticmethod(lambda: 5)
    bus = KafkaBus(SETTINGS)

    async def build() -> KafkaTail:
        return await bus.tail(topic="topic", partition=2, handlers={})

    yield build
    await bus.stop()
    assert all(consumer.stopped.is_set() for consumer in FakeConsumer.made)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_tail_is_ready_once_the_end_was_found_not_once_it_was_asked_for(tail: Any) -> None:
    FakeConsumer.at_end = staticmethod(lambda: len(FakeConsumer.made) == 3)
    one = await tail()
    async with asyncio.timeout(5):
        await one.ready()
    assert len(FakeConsumer.made) == 3
    for consumer in FakeConsumer.made:
        assert (consumer.assigned, consumer.sought) == ({TWO}, [TWO])
        assert consumer.options == tail_options(SETTINGS)


async def test_a_consumer_that_sees_the_partition_grow_and_gets_nothing_is_built_again(tail: Any) -> None:
    one = await tail()
    await one.ready()
    FakeConsumer.end = staticmethod(lambda: 6)
    FakeConsumer.at_end = staticmethod(lambda: False)
    await until(lambda: len(FakeConsumer.made) > 1)
    waiting = asyncio.ensure_future(one.ready())
    await until(lambda: len(FakeConsumer.made) > 3)
    assert not waiting.done(), "a tail without a consumer at the end is not ready"
    FakeConsumer.at_end, FakeConsumer.end = staticmethod(lambda: True), staticmethod(lambda: 5)
    async with asyncio.timeout(5):
        await waiting


async def test_a_short_outage_costs_no_consumer_and_a_long_one_does(tail: Any) -> None:
    looks = 0

    def blind(times: int) -> Callable[[], int]:
        def end() -> int:
            nonlocal looks
            looks += 1
            if looks <= times:
                raise KafkaConnectionError
            return 5

        return end

    FakeConsumer.end = staticmethod(blind(2))
    one = await tail()
    await one.ready()
    await until(lambda: looks >= 5)
    assert len(FakeConsumer.made) == 1
    looks = 0
    FakeConsumer.end = staticmethod(blind(3))
    await until(lambda: len(FakeConsumer.made) == 2)
    assert looks == 3


async def test_no_fault_of_the_client_ends_a_tail(tail: Any) -> None:
    def fault() -> bool:
        if len(FakeConsumer.made) < 4:
            raise AttributeError("a fault of the client")
        return True

    FakeConsumer.at_end = staticmethod(fault)
    one = await tail()
    async with asyncio.timeout(5):
        await one.ready()


async def test_the_stream_publisher_has_a_producer_of_its_own_with_one_acknowledgement_and_no_sequence(
    kafka: Any, kafka_harness: Any, make_record: Any, make_message: Any
) -> None:
    harness = kafka_harness(kafka.bootstrap_servers)
    record = make_record(await harness.topic(), make_message("x"), partition=0)
    bus = harness.bus()
    durable, quick = bus.publisher, bus.stream_publisher
    assert await durable.publish([record]) == [None]
    assert quick._live is None, "a process that streams nothing has no second connection"
    assert await quick.publish([record]) == [None]
    first, second = durable._live, quick._live
    assert (first._sender._acks, first._txn_manager is None) == (-1, False)
    assert (second._sender._acks, second._txn_manager is None) == (1, True)
    assert bus.stream_publisher is quick
    await abort_producer(second)
    (outcome,) = await quick.publish([record])
    assert outcome is not None
    assert outcome.retryable
    assert await durable.publish([record]) == [None]
    assert durable._live is first
    assert await quick.publish([record]) == [None]
    assert quick._live is not second
    await harness.stop()


async def test_streams_go_on_when_a_killed_broker_is_back(
    own_kafka: LocalKafka, kafka_harness: Any, make_record: Any, make_message: Any, seen: Any
) -> None:
    harness = kafka_harness(own_kafka.bootstrap_servers)
    topic = await harness.topic(partitions=2)
    bus = harness.bus()
    await bus.start()
    one = await bus.tail(topic=topic, partition=1, handlers={make_message("x").type: seen})
    async with asyncio.timeout(30):
        await one.ready()
    await own_kafka.kill()
    number, acknowledged = 0, []

    async def stream() -> Any:
        nonlocal number
        number += 1
        (outcome,) = await bus.stream_publisher.publish([make_record(topic, make_message(str(number)), partition=1)])
        if outcome is None:
            acknowledged.append(str(number))
        return outcome

    lost = await stream()
    assert lost is not None
    assert lost.retryable
    await own_kafka.start()
    async with asyncio.timeout(30):
        while not seen.messages:
            await stream()
            await asyncio.sleep(0.02)
        before = len(acknowledged)
        while len(acknowledged) < before + 20:
            await stream()
    await seen.all_of(acknowledged[-1:])
    first = int(seen.subjects[0])
    due = [subject for subject in acknowledged if int(subject) >= first]
    arrived = [subject for subject in dict.fromkeys(seen.subjects) if subject in due]
    assert arrived == due, "once it reads again, nothing that was acknowledged is missing"
    await harness.stop()
