"""The Kafka follower with a consumer that lives and is stuck: it is built again."""

import asyncio
from typing import Any, ClassVar

import pytest
from aiokafka import TopicPartition
from event_bus.kafka import KafkaBus
from event_bus.kafka_settings import KafkaSettings

ZERO = TopicPartition("topic", 0)


class StuckConsumer:
    """Sees the topic grow and gets nothing of it."""

    made: ClassVar[list["StuckConsumer"]] = []

    def __init__(self, *_: Any, **__: Any) -> None:
        self.stopped = asyncio.Event()
        StuckConsumer.made.append(self)

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped.set()

    def assignment(self) -> set[TopicPartition]:
        return {ZERO}

    async def end_offsets(self, _: set[TopicPartition]) -> dict[TopicPartition, int]:
        return {ZERO: 5}

    async def position(self, _: TopicPartition) -> int:
        return 0

    async def getmany(self, *, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0)
        return {}


async def test_a_stuck_consumer_is_built_again_and_the_follower_is_not_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("event_bus.kafka_follower.AIOKafkaConsumer", StuckConsumer)
    monkeypatch.setattr("event_bus.kafka_standing_reader._REBUILD_SECONDS", 0)
    StuckConsumer.made = []
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1", client_id="test", watchdog_limit=0.02)
    follower = await KafkaBus(settings).follow(topic="topic", handlers={})
    waiting = asyncio.ensure_future(follower.caught_up())
    async with asyncio.timeout(5):
        while len(StuckConsumer.made) < 2:
            await asyncio.sleep(0.001)
        await StuckConsumer.made[0].stopped.wait()
    assert not waiting.done()
    waiting.cancel()
    await follower.stop()
    assert all(consumer.stopped.is_set() for consumer in StuckConsumer.made)


class FaultyConsumer(StuckConsumer):
    """Fails as no Kafka client should."""

    async def end_offsets(self, _: set[TopicPartition]) -> dict[TopicPartition, int]:
        raise AttributeError("a fault of the client")


async def test_no_fault_of_the_client_ends_the_following(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_bus.kafka_follower.AIOKafkaConsumer", FaultyConsumer)
    monkeypatch.setattr("event_bus.kafka_standing_reader._REBUILD_SECONDS", 0)
    StuckConsumer.made = []
    follower = await KafkaBus(KafkaSettings(bootstrap_servers="127.0.0.1:1", client_id="test")).follow(
        topic="topic", handlers={}
    )
    async with asyncio.timeout(5):
        while len(StuckConsumer.made) < 3:
            await asyncio.sleep(0.001)
    await follower.stop()
    assert all(consumer.stopped.is_set() for consumer in StuckConsumer.made)
