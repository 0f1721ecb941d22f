"""Topics are created once, differences are told, and partitions never grow unasked."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from event_bus.kafka_admin import TopicError, ensure_topics, topic_configs, wait_until_ready
from event_bus.kafka_settings import KafkaSettings
from message_contracts import catalogue
from message_contracts.catalogue import Topic


@pytest.fixture
def settings(kafka: Any) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, client_id="test")


@pytest.fixture
def topic() -> Topic:
    model = next(one for one in catalogue.topics() if one.retention is not None)
    return replace(model, name=f"test.{uuid.uuid4().hex}", partitions=2)


async def test_creating_is_idempotent_and_differences_are_told_not_changed(
    settings: KafkaSettings, topic: Topic
) -> None:
    first = await ensure_topics(settings, [topic], replication_factor=1)
    assert (first.created, first.grown, first.differences) == ((topic.name,), (), ())
    again = await ensure_topics(settings, [topic], replication_factor=1)
    assert (again.created, again.grown, again.differences) == ((), (), ())
    other = replace(topic, partitions=5, retention=timedelta(minutes=1), compacted=True)
    for _ in range(2):
        told = await ensure_topics(settings, [other], replication_factor=1)
        assert told.created == told.grown == ()
        assert set(told.differences) == {
            f"{topic.name}: 2 partitions, declared are 5",
            f"{topic.name}: cleanup.policy is delete, declared is compact",
            f"{topic.name}: segment.ms is {timedelta(days=7) // timedelta(milliseconds=1)}, declared is 20000",
            f"{topic.name}: retention.ms is {round(topic.retention.total_seconds() * 1000)}, declared is 60000",  # type: ignore[union-attr]  # chosen with a retention
        }


async def test_partitions_grow_when_asked_to(settings: KafkaSettings, topic: Topic) -> None:
    await ensure_topics(settings, [topic], replication_factor=1)
    more = replace(topic, partitions=3)
    assert (await ensure_topics(settings, [more], replication_factor=1, increase_partitions=True)).grown == (
        topic.name,
    )


async def test_every_topic_of_the_contracts_can_be_created_as_declared(settings: KafkaSettings) -> None:
    topics = [replace(one, name=f"test.{uuid.uuid4().hex}") for one in catalogue.topics()]
    assert 64 in [one.partitions for one in topics]
    first = await ensure_topics(settings, topics, replication_factor=1)
    assert set(first.created) == {one.name for one in topics}
    assert (await ensure_topics(settings, topics, replication_factor=1)).differences == ()


async def test_what_the_cluster_refuses_is_an_error_with_its_name(settings: KafkaSettings, topic: Topic) -> None:
    with pytest.raises(TopicError, match=topic.name):
        await ensure_topics(settings, [topic], replication_factor=3)


async def test_without_a_broker_there_is_a_clear_error_and_readiness_times_out(topic: Topic) -> None:
    nobody = KafkaSettings(bootstrap_servers="127.0.0.1:1", client_id="test")
    with pytest.raises(ConnectionError, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        await ensure_topics(nobody, [topic], replication_factor=1)
    with pytest.raises(TimeoutError):
        await wait_until_ready("127.0.0.1:1", timeout=0.2)


def test_a_declaration_becomes_topic_settings(topic: Topic) -> None:
    assert topic_configs(replace(topic, retention=timedelta(days=7)), 1) == {
        "cleanup.policy": "delete",
        "retention.ms": "604800000",
    }
    assert topic_configs(replace(topic, retention=timedelta(minutes=15)), 1) == {
        "cleanup.policy": "delete",
        "retention.ms": "900000",
        "segment.ms": "300000",
    }
    assert topic_configs(replace(topic, retention=None, compacted=True), 3) == {
        "cleanup.policy": "compact",
        "min.insync.replicas": "2",
    }
