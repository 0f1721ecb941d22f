"""A broker that is away, is killed and comes back on its data: nothing acknowledged is lost, and everything heals."""

import asyncio
import uuid
from typing import Any

import pytest
from event_bus import OutgoingRecord
from event_bus.kafka import KafkaBus, KafkaSettings
from event_bus.kafka_admin import ensure_topics
from threadworks.local_servers import LocalKafka


@pytest.fixture
def harness(own_kafka: LocalKafka, kafka_harness: Any) -> Any:
    """The conformance harness, on a broker of our own."""
    return kafka_harness(own_kafka.bootstrap_servers)


async def test_a_broker_killed_in_the_middle_loses_nothing_and_both_sides_heal(
    bench: Any, own_kafka: LocalKafka
) -> None:
    topic = await bench.harness.topic(partitions=2)
    seen = bench.Seen()
    member = await bench.subscribe(seen, topic)
    following = bench.Seen()
    await bench.bus.follow(topic=topic, handlers={bench.REQUESTED: following})
    acknowledged: list[str] = []
    retryable: list[bool] = []
    enough = asyncio.Event()

    async def publish_on(partition: int) -> None:
        """As the relay does: in order, the same record again until it is acknowledged."""
        number = 0
        while not enough.is_set():
            subject = f"{partition}.{number}"
            record = bench.record(topic, bench.message(subject), partition=partition)
            (outcome,) = await bench.bus.publisher.publish([record])
            if outcome is None:
                acknowledged.append(subject)
                number += 1
            else:
                retryable.append(outcome.retryable)
            await asyncio.sleep(0.02)

    publishers = [asyncio.ensure_future(publish_on(partition)) for partition in range(2)]
    await seen.count(20)
    await own_kafka.kill()
    before = len(acknowledged)
    async with asyncio.timeout(bench.PATIENCE):
        while not retryable:
            await asyncio.sleep(0.05)
    await own_kafka.start()
    async with asyncio.timeout(bench.PATIENCE):
        while len(acknowledged) < before + 20:
            await asyncio.sleep(0.05)
    enough.set()
    await asyncio.gather(*publishers)
    assert all(retryable)
    for one in (seen, following):
        await one.all_of(acknowledged)
        for partition in range(2):
            first_deliveries = list(dict.fromkeys(s for s in one.subjects if s.startswith(f"{partition}.")))
            assert first_deliveries == [f"{partition}.{number}" for number in range(len(first_deliveries))]
    assert not member.failed.done()


async def test_a_bus_starts_while_the_broker_is_away_and_works_when_it_comes(bench: Any, own_kafka: LocalKafka) -> None:
    topic = await bench.harness.topic(partitions=1)
    await own_kafka.kill()
    settings = KafkaSettings(
        bootstrap_servers=own_kafka.bootstrap_servers, client_id="early", publish_timeout=0.5, heartbeat_interval=0.5
    )
    bus = KafkaBus(settings)
    await bus.start()
    assert "not reached yet" in (bus.check() or "")
    seen = bench.Seen()
    subscription = await bus.subscribe(
        group=uuid.uuid4().hex, topics=[topic], handlers={bench.REQUESTED: seen}, service="test"
    )
    records = [bench.record(topic, bench.message("early"), partition=0)]
    (outcome,) = await bus.publisher.publish(records)
    assert outcome is not None
    assert outcome.retryable
    await own_kafka.start()
    async with asyncio.timeout(bench.PATIENCE):
        while await bus.publisher.publish(records) != [None]:
            await asyncio.sleep(0.1)
    assert bus.check() is None
    await seen.all_of(["early"])
    assert not subscription.failed.done()
    await own_kafka.kill()
    assert bus.check() is None, "an outage later on does not make the process unready"
    async with asyncio.timeout(bench.PATIENCE):
        await bus.stop()


async def test_a_missing_topic_holds_up_nothing_else(
    kafka: Any, kafka_harness: Any, make_record: Any, make_message: Any
) -> None:
    harness = kafka_harness(kafka.bootstrap_servers)
    topic = await harness.topic(partitions=1)
    publisher = harness.bus().publisher
    good = make_record(topic, make_message("good"), partition=0)
    missing = OutgoingRecord(topic=f"test.{uuid.uuid4().hex}", key=None, value=b"x")
    for _ in range(2):
        outcome, fine = await publisher.publish([missing, good])
        assert fine is None
        assert outcome is not None
        assert outcome.retryable
        assert "was not found" in outcome.reason
    started = asyncio.get_running_loop().time()
    assert (await publisher.publish([good, missing]))[0] is None
    assert asyncio.get_running_loop().time() - started < 1, "a topic known to be missing is not waited for again"
    await ensure_topics(harness.settings, [harness.declared(missing.topic, partitions=1)], replication_factor=1)
    async with asyncio.timeout(10):
        while await publisher.publish([missing]) != [None]:
            await asyncio.sleep(0.01)
    await harness.stop()
