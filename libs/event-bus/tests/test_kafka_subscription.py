"""The Kafka subscription with a consumer that misbehaves on demand: commits, rebuilds and the watchdog."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
)
from event_bus import Message, OutgoingRecord
from event_bus.kafka import KafkaBus
from event_bus.kafka_settings import KafkaSettings, consumer_options, producer_options, reader_options
from event_bus.lane import HIGH
from event_bus.watchdog import SubscriptionStuck

ZERO = TopicPartition("topic", 0)
SETTINGS = KafkaSettings(
    bootstrap_servers="127.0.0.1:1",
    client_id="test",
    commit_interval=0.0,
    watchdog_limit=0.05,
    watchdog_interval=0.02,
)


class FakeConsumer:
    """Gives what the test puts into `fetches`: records, or an error to raise."""

    made: ClassVar[list["FakeConsumer"]] = []
    commit_errors: ClassVar[list[KafkaError | None]] = []
    ends: ClassVar[Callable[[], int]] = staticmethod(lambda: 0)

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.fetches: asyncio.Queue[list[Any] | KafkaError] = asyncio.Queue()
        self.commits: list[dict[TopicPartition, int]] = []
        self.paused_ones: set[TopicPartition] = set()
        self.stopped = asyncio.Event()
        self.listener: Any = None
        FakeConsumer.made.append(self)

    def subscribe(self, _: Any, *, listener: Any) -> None:
        self.listener = listener

    async def start(self) -> None:
        await self.listener.on_partitions_assigned({ZERO})

    async def stop(self) -> None:
        self.stopped.set()

    async def getmany(self, *, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        try:
            fetched = await asyncio.wait_for(self.fetches.get(), timeout_ms / 1000)
        except TimeoutError:
            return {}
        if isinstance(fetched, KafkaError):
            raise fetched
        return {ZERO: fetched}

    def assignment(self) -> set[TopicPartition]:
        return {ZERO}

    def paused(self) -> set[TopicPartition]:
        return set(self.paused_ones)

    def pause(self, partition: TopicPartition) -> None:
        self.paused_ones.add(partition)

    def resume(self, partition: TopicPartition) -> None:
        self.paused_ones.discard(partition)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.commits.append(offsets)
        error = FakeConsumer.commit_errors.pop(0) if FakeConsumer.commit_errors else None
        if error is not None:
            raise error

    async def end_offsets(self, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, FakeConsumer.ends())

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def committed(self, _: TopicPartition) -> int | None:
        return None


@pytest.fixture(autouse=True)
def fake_consumers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("event_bus.kafka_subscription.AIOKafkaConsumer", FakeConsumer)
    FakeConsumer.made, FakeConsumer.commit_errors = [], []
    FakeConsumer.ends = staticmethod(lambda: 0)
    yield


@pytest.fixture
def fetched(
    make_message: Callable[..., Message], make_record: Callable[..., OutgoingRecord]
) -> Callable[..., list[Any]]:
    def build(*offsets: int) -> list[Any]:
        found = []
        for offset in offsets:
            record = make_record("topic", make_message(str(offset)))
            fields = {"topic": "topic", "partition": 0, "offset": offset, "key": None}
            found.append(SimpleNamespace(**fields, value=record.value, headers=record.headers))
        return found

    return build


async def subscribe(handler: Any, make_message: Any) -> Any:
    bus = KafkaBus(SETTINGS)
    return await bus.subscribe(
        group="group", topics=["topic"], handlers={make_message("x").type: handler}, service="test", concurrency=3
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_every_commit_names_the_contiguous_offset_plus_one(make_message: Any, fetched: Any, seen: Any) -> None:
    gate = asyncio.Event()

    async def handler(message: Message) -> None:
        if message.subject == "2":
            await gate.wait()
        await seen(message)

    member = await subscribe(handler, make_message)
    await until(lambda: bool(FakeConsumer.made))
    (consumer,) = FakeConsumer.made
    consumer.fetches.put_nowait(fetched(0, 1, 2, 3, 5))
    await until(lambda: consumer.commits[-1:] == [{ZERO: 2}])
    await seen.count(4)
    gate.set()
    await until(lambda: consumer.commits[-1] == {ZERO: 6})
    await member.stop()
    marks = [offset for commit in consumer.commits for offset in commit.values()]
    assert marks == sorted(marks)
    assert set(marks) <= {1, 2, 6}


@pytest.mark.parametrize("error", [CommitFailedError(), IllegalStateError(), IllegalGenerationError()])
async def test_a_commit_that_came_too_late_is_swallowed_and_work_goes_on(
    make_message: Any, fetched: Any, seen: Any, error: KafkaError
) -> None:
    member = await subscribe(seen, make_message)
    FakeConsumer.commit_errors = [error]
    await until(lambda: bool(FakeConsumer.made))
    (consumer,) = FakeConsumer.made
    consumer.fetches.put_nowait(fetched(0))
    await until(lambda: consumer.commits == [{ZERO: 1}])
    consumer.fetches.put_nowait(fetched(1))
    await until(lambda: consumer.commits == [{ZERO: 1}, {ZERO: 2}])
    await member.stop()
    assert len(FakeConsumer.made) == 1


async def test_a_commit_that_failed_otherwise_is_tried_again(make_message: Any, fetched: Any, seen: Any) -> None:
    member = await subscribe(seen, make_message)
    FakeConsumer.commit_errors = [KafkaConnectionError(), TimeoutError()]
    await until(lambda: bool(FakeConsumer.made))
    (consumer,) = FakeConsumer.made
    consumer.fetches.put_nowait(fetched(0))
    await until(lambda: consumer.commits == [{ZERO: 1}] * 3)
    await member.stop()


async def test_a_lost_consumer_is_replaced_and_known_records_are_not_handled_again(
    make_message: Any, fetched: Any, seen: Any
) -> None:
    FakeConsumer.commit_errors = [KafkaConnectionError() for _ in range(10_000)]
    member = await subscribe(seen, make_message)
    await until(lambda: bool(FakeConsumer.made))
    FakeConsumer.made[0].fetches.put_nowait(fetched(0, 1))
    await seen.count(2)
    FakeConsumer.made[0].fetches.put_nowait(KafkaError("anything"))
    await until(lambda: len(FakeConsumer.made) == 2)
    FakeConsumer.made[1].fetches.put_nowait(fetched(0, 1, 2))
    await seen.count(3)
    assert seen.subjects == ["0", "1", "2"]
    assert FakeConsumer.made[0].stopped.is_set()
    await member.stop()


async def test_a_full_lane_is_paused_at_the_client_until_it_has_room(
    make_message: Any, fetched: Any, seen: Any
) -> None:
    gate = asyncio.Event()

    async def handler(message: Message) -> None:
        await gate.wait()
        await seen(message)

    member = await subscribe(handler, make_message)
    await until(lambda: bool(FakeConsumer.made))
    (consumer,) = FakeConsumer.made
    consumer.fetches.put_nowait(fetched(*range(HIGH + 10)))
    await until(lambda: consumer.paused() == {ZERO})
    gate.set()
    await seen.count(HIGH + 10)
    assert consumer.paused() == set()
    await member.stop()


async def test_a_stuck_consumer_ends_the_subscription(make_message: Any, seen: Any) -> None:
    growing = iter(range(1_000_000))
    FakeConsumer.ends = staticmethod(lambda: next(growing))
    member = await subscribe(seen, make_message)
    async with asyncio.timeout(5):
        assert isinstance(await member.failed, SubscriptionStuck)
        await member.stop()
        await FakeConsumer.made[0].stopped.wait()


async def test_a_paused_topic_is_not_taken_for_stuck(make_message: Any, seen: Any) -> None:
    looks = 0

    def end() -> int:
        nonlocal looks
        looks += 1
        return looks

    FakeConsumer.ends = staticmethod(end)
    member = await subscribe(seen, make_message)
    member.pause("topic")
    await until(lambda: looks > 8)
    assert not member.failed.done()
    await member.stop()


def test_the_defaults_that_bite_are_all_set() -> None:
    settings = KafkaSettings(bootstrap_servers="kafka:9092", client_id="me", sasl_password="hidden")
    assert "hidden" not in repr(settings)
    producer = producer_options(settings)
    assert producer["acks"] == "all"
    assert producer["enable_idempotence"] is True
    assert 0 <= producer["linger_ms"] <= 2
    assert producer["request_timeout_ms"] == 10_000
    assert producer["retry_backoff_ms"] == 50
    assert settings.publish_timeout == 5
    consumer = consumer_options(settings, group="group")
    assert consumer["group_id"] == "group"
    assert consumer["group_instance_id"] is None
    assert consumer["enable_auto_commit"] is False
    assert consumer["auto_offset_reset"] == "earliest"
    assert consumer["fetch_max_wait_ms"] == 500
    assert consumer["max_poll_records"] == 200
    assert consumer["session_timeout_ms"] == 10_000
    assert consumer["heartbeat_interval_ms"] == 3_000
    assert consumer["max_poll_interval_ms"] == 120_000
    assert consumer["partition_assignment_strategy"] == (RoundRobinPartitionAssignor,)
    assert "group_id" not in reader_options(settings)
    assert settings.watchdog_limit == 60


def test_an_encrypted_listener_gets_a_context_that_checks_certificates() -> None:
    settings = KafkaSettings(bootstrap_servers="kafka:9093", client_id="me", security_protocol="SASL_SSL")
    context = producer_options(settings)["ssl_context"]
    assert context.check_hostname


class WatchedConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """The real one; counts how often it was asked what it has."""

    looks = 0

    def assignment(self) -> Any:
        WatchedConsumer.looks += 1
        return super().assignment()


async def test_the_watchdog_leaves_a_consumer_alone_that_still_waits_for_a_broker_that_does_not_answer(
    make_message: Any, seen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    monkeypatch.setattr("event_bus.kafka_subscription.AIOKafkaConsumer", WatchedConsumer)
    WatchedConsumer.looks = 0
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    settings = replace(SETTINGS, bootstrap_servers=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    member = await KafkaBus(settings).subscribe(
        group="group", topics=["topic"], handlers={make_message("x").type: seen}, service="test"
    )
    await until(lambda: bool(connections) and (WatchedConsumer.looks >= 3 or member.failed.done()))
    assert not member.failed.done()
    await member.stop()
    for connection in connections:
        connection.close()
    server.close()
    await server.wait_closed()
