"""Which topics exist, so that a missing one holds up nothing else.

Used by `kafka_publisher`. aiokafka's `send` waits for a topic until its request time-out, and its metadata now and then
forgets topics that it was not asked for: so what was found once is remembered here.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

LOOKUP_SECONDS = 2.0
"""How long a publish waits for a topic that is named for the first time."""


class TopicLookup:
    """Remembers what was found and what was not. A missing topic is waited for once, then only asked for."""

    def __init__(self) -> None:
        self._found: dict[str, frozenset[int]] = {}
        self._missing: set[str] = set()

    def forget(self) -> None:
        """After a failure: a topic may have been deleted."""
        self._found.clear()

    async def partitions(self, producer: AIOKafkaProducer, topics: Iterable[str]) -> Mapping[str, frozenset[int]]:
        """The partitions of these topics; empty for a topic that does not exist, as far as the brokers tell in time."""
        unknown = {topic for topic in topics if topic not in self._found}
        if unknown:
            await self._look_up(producer, unknown - self._missing)
            self._ask_again(producer, unknown & self._missing)
        return {topic: self._found.get(topic, frozenset()) for topic in topics}

    async def _look_up(self, producer: AIOKafkaProducer, topics: set[str]) -> None:
        if not topics:
            return
        lookups = {topic: asyncio.ensure_future(producer.partitions_for(topic)) for topic in topics}
        _, late = await asyncio.wait(lookups.values(), timeout=LOOKUP_SECONDS)
        for lookup in late:
            lookup.cancel()
        for topic, lookup in lookups.items():
            if not lookup.done() or lookup.cancelled() or lookup.exception() is not None:
                lookup.add_done_callback(take_note)
                self._missing.add(topic)
            else:
                self._found[topic] = frozenset(lookup.result())

    def _ask_again(self, producer: AIOKafkaProducer, topics: set[str]) -> None:
        for topic in topics:
            if partitions := producer.client.cluster.partitions_for_topic(topic):
                self._missing.discard(topic)
                self._found[topic] = frozenset(partitions)
            else:
                producer.client.add_topic(topic)
                producer.client.force_metadata_update()


def take_note(future: "asyncio.Future[Any]") -> None:
    """For a future that nobody awaits any more: asyncio would complain about its exception."""
    if not future.cancelled():
        future.exception()
