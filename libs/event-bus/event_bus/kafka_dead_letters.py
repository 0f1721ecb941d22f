"""Reads the dead letters of a cluster and sends them to their topics again. For `threadworks dead-letters`."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from event_bus.dead_letters import TOPIC, DeadLetter, letters, replay, replay_mark
from event_bus.incoming import IncomingRecord
from event_bus.kafka_login import refuse_login
from event_bus.kafka_publisher import KafkaPublisher
from event_bus.kafka_settings import KafkaSettings, reader_options
from event_bus.kafka_standing_reader import incoming
from event_bus.kafka_teardown import stop_consumer

_ANSWER_SECONDS: Final = 30.0
"""How long a broker may be silent before the command gives up."""


class DeadLettersUnavailable(Exception):
    """They cannot be read now, or not sent: the text says why."""


async def dead_letters(settings: KafkaSettings) -> list[DeadLetter]:
    """All that the topic keeps, oldest first. Raises `DeadLettersUnavailable` and `LoginRefused`."""
    return letters(await _read_all(settings))


async def replay_letters(settings: KafkaSettings, chosen: Sequence[DeadLetter]) -> None:
    """Send these to their topics again, in the given order, and mark them as replayed.

    Raises `DeadLettersUnavailable` at the first that cannot be sent; those before it are sent and marked.
    """
    publisher = KafkaPublisher(settings)
    try:
        for letter in chosen:
            original = None if letter.value is not None else await _at_its_old_place(settings, letter)
            for record in (replay(letter, original), replay_mark(letter)):
                (outcome,) = await publisher.publish([record])
                if outcome is not None:
                    raise DeadLettersUnavailable(f"{letter.id} could not be sent: {outcome.reason}")
    finally:
        await publisher.stop()


async def _read_all(settings: KafkaSettings) -> list[IncomingRecord]:
    consumer = AIOKafkaConsumer(**reader_options(settings))
    read: list[IncomingRecord] = []
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await consumer.start()
            partitions = await _partitions(consumer, TOPIC)
            ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        while not all([await consumer.position(partition) >= end for partition, end in ends.items()]):
            async with asyncio.timeout(_ANSWER_SECONDS):
                fetched = await consumer.getmany(timeout_ms=500)
            read += [incoming(record) for records in fetched.values() for record in records]
    except (KafkaError, OSError, TimeoutError) as error:
        await refuse_login(settings)
        raise DeadLettersUnavailable(_silence(settings, error)) from None
    finally:
        await stop_consumer(consumer)
    return read


async def _at_its_old_place(settings: KafkaSettings, letter: DeadLetter) -> IncomingRecord:
    consumer = AIOKafkaConsumer(**reader_options(settings))
    partition = TopicPartition(letter.topic, letter.partition)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await consumer.start()
            consumer.assign([partition])
            consumer.seek(partition, letter.offset)
            record = incoming(await consumer.getone(partition))
    except (KafkaError, OSError, TimeoutError) as error:
        await refuse_login(settings)
        raise DeadLettersUnavailable(_silence(settings, error)) from None
    finally:
        await stop_consumer(consumer)
    if record.offset != letter.offset:
        raise DeadLettersUnavailable(
            f"{letter.id} was too large to be kept, and {letter.topic} does not have it any more"
        )
    return record


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    known = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic)
    if not known:
        raise DeadLettersUnavailable(f"there is no topic {topic}: create it with `threadworks topics apply`")
    return [TopicPartition(topic, number) for number in sorted(known)]


def _silence(settings: KafkaSettings, error: Exception) -> str:
    return f"Kafka at {settings.bootstrap_servers} does not answer ({type(error).__name__})"
