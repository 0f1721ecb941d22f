"""The Kafka publisher with producers that fail on demand: it pipelines, tells the truth, and replaces the producer."""

import asyncio
import gc
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    RequestTimedOutError,
    UnknownProducerId,
)
from event_bus import OutgoingRecord
from event_bus.kafka_publisher import KafkaPublisher
from event_bus.kafka_settings import KafkaSettings, client_options, producer_options
from event_bus.kafka_teardown import abort_producer, stop_consumer, stop_producer
from event_bus.kafka_topic_lookup import TopicLookup
from event_bus.task_ending import end_tasks

SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:1", client_id="test", publish_timeout=0.3)
Answer = Callable[[dict[str, Any]], KafkaError | None]


class FakeProducer:
    """Acknowledges as `answer` says, once the loop has had its turn. Counts what happens to it."""

    def __init__(self, answer: Answer | None, **_: Any) -> None:
        self.answer = answer
        self.sent: list[bytes] = []
        self.acks: list[asyncio.Future[None]] = []
        self.acked_when_last_sent = 0
        self.acked = 0
        self.aborted = asyncio.Event()
        self.stops = 0
        self._sender = SimpleNamespace(sender_task=None)
        self._message_accumulator = SimpleNamespace(fail_all=lambda _: None, _pending_batches=set(), _batches={})
        self.client = SimpleNamespace(close=self._close, _md_update_fut=None)

    async def start(self) -> None:
        await asyncio.sleep(0)

    async def partitions_for(self, _: str) -> set[int]:
        return {0}

    async def stop(self) -> None:
        self.stops += 1

    async def _close(self) -> None:
        self.aborted.set()

    async def send(self, _: str, **record: Any) -> "asyncio.Future[None]":
        self.sent.append(record["value"])
        self.acked_when_last_sent = self.acked
        ack: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.acks.append(ack)
        if self.answer is not None:
            asyncio.get_running_loop().call_soon(self._ack, ack, self.answer(record))
        return ack

    def _ack(self, ack: "asyncio.Future[None]", error: KafkaError | None) -> None:
        self.acked += 1
        if ack.done():
            return
        if error is None:
            ack.set_result(None)
        else:
            ack.set_exception(error)


class Producers:
    """Hands out one producer after the other, each with its own way to answer."""

    def __init__(self, *answers: Answer | None) -> None:
        self._answers = list(answers)
        self.made: list[FakeProducer] = []

    def __call__(self, **options: Any) -> Any:
        producer = FakeProducer(self._answers.pop(0) if self._answers else fine, **options)
        self.made.append(producer)
        return producer


def fine(_: dict[str, Any]) -> KafkaError | None:
    return None


def records(*values: bytes, topic: str = "topic") -> list[OutgoingRecord]:
    return [OutgoingRecord(topic=topic, key=None, value=value) for value in values]


async def test_everything_is_sent_in_order_before_any_acknowledgement_is_awaited() -> None:
    producers = Producers()
    publisher = KafkaPublisher(SETTINGS, make_producer=producers)
    values = [str(number).encode() for number in range(300)]
    assert await publisher.publish(records(*values)) == [None] * 300
    assert producers.made[0].sent == values
    assert producers.made[0].acked_when_last_sent == 0
    await publisher.stop()
    assert producers.made[0].stops == 1


@pytest.mark.parametrize(
    "error", [OutOfOrderSequenceNumber, UnknownProducerId, ProducerFenced, RequestTimedOutError, KafkaConnectionError]
)
async def test_after_a_failed_batch_the_producer_is_dropped_and_a_new_one_is_built(error: type[KafkaError]) -> None:
    producers = Producers(lambda record: error() if record["value"] == b"2" else None)
    publisher = KafkaPublisher(SETTINGS, make_producer=producers)
    first, second, third = await publisher.publish(records(b"1", b"2", b"3"))
    assert first is None
    assert third is None
    assert second is not None
    assert second.retryable
    assert error.__name__ in second.reason
    assert await publisher.publish(records(b"2")) == [None]
    assert len(producers.made) == 2
    async with asyncio.timeout(5):
        await producers.made[0].aborted.wait()
    assert producers.made[1].sent == [b"2"]
    await publisher.stop()


async def test_a_publish_is_bounded_in_time_and_unanswered_records_may_be_sent_again() -> None:
    producers = Producers(None)
    publisher = KafkaPublisher(SETTINGS, make_producer=producers)
    started = asyncio.get_running_loop().time()
    outcomes = await publisher.publish(records(b"1", b"2"))
    assert asyncio.get_running_loop().time() - started < 2
    for outcome in outcomes:
        assert outcome is not None
        assert outcome.retryable
        assert "may have been written" in outcome.reason
    assert await publisher.publish(records(b"1", b"2")) == [None, None]
    assert len(producers.made) == 2
    await publisher.stop()


async def test_a_record_too_large_for_the_broker_does_not_take_its_neighbours_with_it() -> None:
    def one_batch(_: dict[str, Any]) -> KafkaError:
        return MessageSizeTooLargeError()

    def single(record: dict[str, Any]) -> KafkaError | None:
        return MessageSizeTooLargeError() if record["value"] == b"large" else None

    producers = Producers(one_batch, single, single)
    publisher = KafkaPublisher(SETTINGS, make_producer=producers)
    first, large, last = await publisher.publish(records(b"first", b"large", b"last"))
    assert first is None
    assert last is None
    assert large is not None
    assert not large.retryable
    await publisher.stop()


async def test_what_the_client_refuses_is_no_reason_for_a_new_producer() -> None:
    producers = Producers()
    publisher = KafkaPublisher(SETTINGS, make_producer=producers)
    nowhere = OutgoingRecord(topic="topic", key=None, value=b"1", partition=5)
    (outcome,) = await publisher.publish([nowhere])
    assert outcome is not None
    assert not outcome.retryable
    assert await publisher.publish(records(b"2")) == [None]
    assert len(producers.made) == 1
    await publisher.stop()


async def test_concurrent_calls_share_one_producer() -> None:
    producers = Producers()
    publisher = KafkaPublisher(SETTINGS, make_producer=producers)
    await asyncio.gather(*(publisher.publish(records(b"1")) for _ in range(20)))
    assert len(producers.made) == 1
    await publisher.stop()


async def test_after_a_stop_nothing_is_sent_and_the_outcome_says_so() -> None:
    producers = Producers()
    publisher = KafkaPublisher(SETTINGS, make_producer=producers)
    await publisher.stop()
    (outcome,) = await publisher.publish(records(b"1"))
    assert outcome is not None
    assert outcome.retryable
    assert producers.made == []


async def test_a_topic_found_once_is_remembered_and_a_missing_one_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiokafka's metadata forgets a topic that is in no request: that must not read as missing."""
    monkeypatch.setattr("event_bus.kafka_topic_lookup.LOOKUP_SECONDS", 0.05)
    lookups: list[str] = []
    metadata: dict[str, set[int]] = {}

    async def partitions_for(topic: str) -> set[int]:
        lookups.append(topic)
        if topic == "missing":
            await asyncio.Event().wait()
        return {0, 1}

    client = SimpleNamespace(
        cluster=SimpleNamespace(partitions_for_topic=metadata.get),
        add_topic=lambda _: None,
        force_metadata_update=lambda: None,
    )
    producer: Any = SimpleNamespace(partitions_for=partitions_for, client=client)
    lookup = TopicLookup()
    for _ in range(3):
        assert await lookup.partitions(producer, ["there", "missing"]) == {
            "there": frozenset({0, 1}),
            "missing": frozenset(),
        }
    assert sorted(lookups) == ["missing", "there"]
    metadata["missing"] = {0}
    assert (await lookup.partitions(producer, ["missing"]))["missing"] == {0}
    lookup.forget()
    assert (await lookup.partitions(producer, ["there"]))["there"] == {0, 1}
    assert lookups.count("there") == 2


@pytest.mark.parametrize("how", ["hangs", "fails", "is cancelled from within"])
async def test_a_stop_of_the_client_that(how: str) -> None:
    """Bounded, and never an error of the caller: the connections are closed by other means."""
    closed = asyncio.Event()

    async def stop() -> None:
        if how == "hangs":
            await asyncio.Event().wait()
        if how == "fails":
            raise KafkaConnectionError
        raise asyncio.CancelledError

    async def close() -> None:
        closed.set()

    client = SimpleNamespace(close=close, _md_update_fut=None)
    fetcher = SimpleNamespace(_fetch_task=asyncio.ensure_future(asyncio.Event().wait()), _pending_tasks=set())
    consumer = SimpleNamespace(stop=stop, _client=client, _coordinator=None, _fetcher=fetcher)
    await stop_consumer(consumer, seconds=0.05)
    assert closed.is_set()
    assert fetcher._fetch_task.cancelled()
    closed.clear()
    accumulator = SimpleNamespace(fail_all=lambda _: None, _pending_batches=set(), _batches={})
    sender = SimpleNamespace(sender_task=asyncio.ensure_future(asyncio.Event().wait()))
    producer = SimpleNamespace(stop=stop, client=client, _sender=sender, _message_accumulator=accumulator)
    await stop_producer(producer, seconds=0.05)
    assert closed.is_set()
    assert sender.sender_task.cancelled()


async def test_dropping_a_producer_fails_what_waits_in_it_and_leaves_no_error_unseen() -> None:
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        producer = AIOKafkaProducer(**producer_options(SETTINGS))
        ack = await producer._message_accumulator.add_message(TopicPartition("topic", 0), b"k", b"v", 1, headers=[])
        await abort_producer(producer)
        assert isinstance(ack.exception(), ProducerClosed)
        del ack, producer
        gc.collect()
        assert complaints == []
    finally:
        loop.set_exception_handler(None)


async def test_dropping_a_producer_fails_a_batch_that_waits_for_its_next_try_without_an_error_in_the_log() -> None:
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        producer = AIOKafkaProducer(**producer_options(SETTINGS))
        producer._txn_manager.set_pid_and_epoch(1, 0)
        accumulator, partition = producer._message_accumulator, TopicPartition("topic", 0)
        ack = await accumulator.add_message(partition, b"k", b"v", 1, headers=[])
        accumulator.reenqueue(accumulator._pop_batch(partition))
        await abort_producer(producer)
        assert isinstance(ack.exception(), ProducerClosed)
        await asyncio.sleep(0)  # the batch's own callback has run
        assert complaints == []
    finally:
        loop.set_exception_handler(None)


async def test_a_cancelled_publish_leaves_no_error_unseen() -> None:
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        producers = Producers(None)
        publisher = KafkaPublisher(SETTINGS, make_producer=producers)
        publishing = asyncio.ensure_future(publisher.publish(records(b"1", b"2")))
        while not producers.made or len(producers.made[0].acks) < 2:
            await asyncio.sleep(0)
        await end_tasks([publishing])
        for ack in producers.made[0].acks[1:]:
            ack.set_exception(KafkaConnectionError())
        producers.made[0].acks.clear()
        await asyncio.sleep(0)
        del publishing, ack
        gc.collect()
        assert complaints == []
        await publisher.stop()
    finally:
        loop.set_exception_handler(None)


async def test_on_a_real_broker_with_a_small_limit_only_the_large_record_is_refused(
    kafka: Any, kafka_harness: Any
) -> None:
    topic = f"test.{uuid.uuid4().hex}"
    settings = kafka_harness(kafka.bootstrap_servers).settings
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": "2000"})])
    await admin.close()
    publisher = KafkaPublisher(settings)
    outcomes = await publisher.publish(records(b"a", b"b" * 3000, b"c", topic=topic))
    assert outcomes[0] is None
    assert outcomes[2] is None
    assert outcomes[1] is not None
    assert not outcomes[1].retryable
    assert await publisher.publish(records(b"d", topic=topic)) == [None]
    await publisher.stop()
