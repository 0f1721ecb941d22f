"""What only Kafka does to a reader of whole topics: brokers that go away, and topics that grow."""

import asyncio
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from event_bus import Partition, kafka_log_reader
from event_bus.kafka_settings import client_options, reader_options
from message_contracts import codec
from threadworks.local_servers.kafka import LocalKafka

PATIENCE = 60.0


def subjects(batch: Any) -> list[str]:
    return [codec.decode(record.headers, record.value or b"").subject for record in batch.records]


async def collect(reader: Any, number: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < number:
            batch = await reader.read()
            assert batch.lost is False
            found += subjects(batch)
    return found


async def test_a_reader_goes_on_where_it_was_when_a_killed_broker_is_back(
    own_kafka: LocalKafka, kafka_harness: Any, make_record: Any, make_message: Any
) -> None:
    harness = kafka_harness(own_kafka.bootstrap_servers)
    topic = await harness.topic(partitions=2)
    bus = harness.bus()
    await bus.start()

    async def publish(subject: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while await bus.publisher.publish([make_record(topic, make_message(subject), partition=0)]) != [None]:
                await asyncio.sleep(0.1)

    reader = await bus.read(topics=[topic])
    await reader.read()
    await publish("before")
    assert await collect(reader, 1) == ["before"]
    waiting = asyncio.ensure_future(reader.read())
    await own_kafka.kill()
    late = asyncio.ensure_future(bus.read(topics=[topic], start={Partition(topic, 0): 0, Partition(topic, 1): 0}))
    done, _ = await asyncio.wait([waiting], timeout=1)
    assert not done, "a reader waits through an outage"
    await own_kafka.start()
    await publish("after")
    async with asyncio.timeout(PATIENCE):
        batch = await waiting
    assert batch.lost is False
    found = [*subjects(batch), *([] if batch.records else await collect(reader, 1))]
    # A publish whose acknowledgement was lost in the outage is repeated.
    assert found[0] == "after"
    assert (await collect(await late, 2))[:2] == ["before", "after"]
    await harness.stop()


async def test_partitions_that_are_added_are_read_from_their_beginning_and_nothing_is_read_twice(
    kafka: Any, kafka_harness: Any, make_record: Any, make_message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client looks for new partitions every five minutes.
    often = {"metadata_max_age_ms": 300}
    monkeypatch.setattr(kafka_log_reader, "reader_options", lambda settings: {**reader_options(settings), **often})
    harness = kafka_harness(kafka.bootstrap_servers)
    topic = await harness.topic(partitions=1)
    bus = harness.bus()
    await bus.start()
    reader = await bus.read(topics=[topic])
    await reader.read()

    async def publish(partition: int, *names: str) -> None:
        records = [make_record(topic, make_message(name), partition=partition) for name in names]
        async with asyncio.timeout(PATIENCE):
            while await bus.publisher.publish(records) != [None] * len(records):
                await asyncio.sleep(0.1)

    await publish(0, "0.0", "0.1")
    assert await collect(reader, 2) == ["0.0", "0.1"]
    admin = AIOKafkaAdminClient(**client_options(harness.settings))
    await admin.start()
    await admin.create_partitions({topic: NewPartitions(total_count=2)})
    await admin.close()
    other = harness.bus()
    await other.start()
    records = [make_record(topic, make_message("1.0"), partition=1)]
    async with asyncio.timeout(PATIENCE):
        while await other.publisher.publish(records) != [None]:
            await asyncio.sleep(0.1)
    assert await collect(reader, 1) == ["1.0"]
    await publish(0, "0.2")
    assert await collect(reader, 1) == ["0.2"]
    await harness.stop()
