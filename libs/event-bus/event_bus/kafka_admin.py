"""Creates topics and asks whether a broker is there.

Called by `threadworks topics apply`, by `threadworks.local_servers` and by test fixtures; services never create topics.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from message_contracts.catalogue import Topic

from event_bus.kafka_login import LoginRefused, refuse_login
from event_bus.kafka_settings import KafkaSettings, client_options

_POLL_SECONDS = 0.05
_USUAL_SEGMENT = timedelta(days=7)
"""How long Kafka writes one segment of a partition, unless it is told otherwise."""


class TopicError(Exception):
    """The cluster refused to create or to describe a topic."""


@dataclass(frozen=True, slots=True)
class TopicsReport:
    """What `ensure_topics` did and found."""

    created: tuple[str, ...]
    """Names of topics that did not exist."""
    grown: tuple[str, ...]
    """Names of topics that were given more partitions, as asked."""
    differences: tuple[str, ...]
    """One sentence for each setting of an existing topic that is not as declared; nothing was changed there."""


async def ensure_topics(
    settings: KafkaSettings, topics: Sequence[Topic], *, replication_factor: int, increase_partitions: bool = False
) -> TopicsReport:
    """Create the topics that are missing and report how the others differ from their declaration. Idempotent.

    Partitions grow only with `increase_partitions`: keys then move to other partitions, so the order of what is under
    way is lost. Nothing else of an existing topic is changed. Raises TopicError, ConnectionError when no broker
    answers, or LoginRefused.
    """
    async with _admin(settings) as admin:
        created = await _create(admin, topics, replication_factor)
        existing = [topic for topic in topics if topic.name not in created]
        grown: list[str] = []
        differences: list[str] = []
        partitions = await _partitions(admin, existing)
        configs = await _configs(admin, existing)
        for topic in existing:
            replicas = partitions[topic.name]
            if increase_partitions and len(replicas) < topic.partitions:
                await _grow(admin, topic)
                grown.append(topic.name)
            elif len(replicas) != topic.partitions:
                differences.append(f"{topic.name}: {len(replicas)} partitions, declared are {topic.partitions}")
            if any(count != replication_factor for count in replicas):
                differences.append(f"{topic.name}: replicas {sorted(set(replicas))}, asked for {replication_factor}")
            differences += [
                f"{topic.name}: {name} is {configs[topic.name].get(name)}, declared is {value}"
                for name, value in topic_configs(topic, replication_factor).items()
                if configs[topic.name].get(name) != value
            ]
        return TopicsReport(tuple(created), tuple(grown), tuple(differences))


def topic_configs(topic: Topic, replication_factor: int) -> dict[str, str]:
    """The topic-level settings that a declaration means. Times in milliseconds, as Kafka counts them."""
    configs = {"cleanup.policy": "compact" if topic.compacted else "delete"}
    if topic.retention is not None:
        configs["retention.ms"] = str(round(topic.retention.total_seconds() * 1000))
        if topic.retention < _USUAL_SEGMENT:
            # Kafka removes whole segments, and never the one it writes: so a record may stay for a third longer than
            # declared, instead of for a week.
            configs["segment.ms"] = str(round(topic.retention.total_seconds() * 1000 / 3))
    if replication_factor >= 3:
        # With acks=all: a write survives the loss of a broker, and one broker may be away without stopping writes.
        configs["min.insync.replicas"] = "2"
    return configs


async def wait_until_ready(bootstrap_servers: str, *, timeout: float) -> None:
    """Return once a broker answers a metadata request and is a member of its cluster. Raises TimeoutError."""
    async with asyncio.timeout(timeout):
        await _wait_for_listener(bootstrap_servers)
        settings = KafkaSettings(bootstrap_servers=bootstrap_servers, client_id="readiness")
        while not await _has_broker(settings):  # noqa: ASYNC110 - a broker tells nobody when it is ready
            await asyncio.sleep(_POLL_SECONDS)


async def _wait_for_listener(bootstrap_servers: str) -> None:
    """A plain connection first: aiokafka would log an error for each one that is refused."""
    host, _, port = bootstrap_servers.split(",", maxsplit=1)[0].rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(_POLL_SECONDS)
            continue
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return


async def _has_broker(settings: KafkaSettings) -> bool:
    try:
        async with _admin(settings) as admin:
            return bool((await admin.describe_cluster())["brokers"])
    except (TopicError, OSError, LoginRefused):
        return False


@contextlib.asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        try:
            await admin.start()
        except KafkaError as error:
            await refuse_login(settings)
            raise ConnectionError(f"no Kafka broker answers at {settings.bootstrap_servers}") from error
        try:
            yield admin
        except KafkaError as error:
            raise TopicError(f"Kafka does not do as it was asked ({type(error).__name__})") from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic], replication_factor: int) -> list[str]:
    """Create what is missing and return its names once the brokers know it."""
    response = await admin.create_topics(
        [
            NewTopic(
                topic.name, topic.partitions, replication_factor, topic_configs=topic_configs(topic, replication_factor)
            )
            for topic in topics
        ]
    )
    created = []
    for name, code, message, *_ in response.topic_errors:
        if code == TopicAlreadyExistsError.errno:
            continue
        if code:
            raise TopicError(f"{name}: {message or for_code(code).__name__}")
        created.append(name)
    while created and not await _known(admin, created):  # noqa: ASYNC110 - a broker tells nobody when it knows
        await asyncio.sleep(_POLL_SECONDS)
    return created


async def _known(admin: AIOKafkaAdminClient, names: Sequence[str]) -> bool:
    return not any(topic["error_code"] for topic in await admin.describe_topics(list(names)))


async def _partitions(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> Mapping[str, list[int]]:
    """Number of replicas of each partition, by topic."""
    described = await admin.describe_topics([topic.name for topic in topics]) if topics else []
    for topic in described:
        if topic["error_code"]:
            raise TopicError(f"{topic['topic']}: {for_code(topic['error_code']).__name__}")
    return {topic["topic"]: [len(partition["replicas"]) for partition in topic["partitions"]] for topic in described}


async def _configs(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> Mapping[str, dict[str, Any]]:
    if not topics:
        return {}
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, t.name) for t in topics])
    found: dict[str, dict[str, Any]] = {}
    for response in responses:
        for code, message, _, name, entries in response.resources:
            if code:
                raise TopicError(f"{name}: {message or for_code(code).__name__}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def _grow(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    try:
        await admin.create_partitions({topic.name: NewPartitions(topic.partitions)})
    except KafkaError as error:
        raise TopicError(f"{topic.name}: {error}") from error
