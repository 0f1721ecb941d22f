"""The event bus on Apache Kafka. Built by composition roots; everything else sees `event_bus.EventBus`.

aiokafka is imported in `event_bus.kafka*` and nowhere else.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial

from event_bus.dispatcher import Dispatcher
from event_bus.incoming import Partition
from event_bus.interface import Around, HandlerTable
from event_bus.kafka_client_log import calm_client_log
from event_bus.kafka_follower import KafkaFollower
from event_bus.kafka_log_reader import KafkaLogReader
from event_bus.kafka_publisher import KafkaPublisher
from event_bus.kafka_settings import KafkaSettings, stream_producer_options
from event_bus.kafka_subscription import KafkaSubscription
from event_bus.kafka_tail import KafkaTail
from event_bus.memberships import Memberships
from event_bus.retries import RetryPolicy
from event_bus.task_ending import end_tasks

__all__ = ["KafkaBus", "KafkaSettings"]


class KafkaBus:
    """One process's connection to a Kafka cluster. See `event_bus.EventBus`.

    `start` and `subscribe` do not wait for a broker: what they begin goes on trying in the background.
    """

    def __init__(
        self, settings: KafkaSettings, *, retries: RetryPolicy | None = None, around: Around = nullcontext
    ) -> None:
        self._settings = settings
        self._around = around
        self._memberships = Memberships()
        self._retries = retries or RetryPolicy()
        self._publisher = KafkaPublisher(settings)
        self._stream_publisher = KafkaPublisher(settings, options=stream_producer_options)
        self._connecting: asyncio.Task[None] | None = None
        self._readers: list[KafkaSubscription | KafkaFollower | KafkaTail | KafkaLogReader] = []

    async def start(self) -> None:
        """See `EventBus.start`."""
        calm_client_log()
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._publisher.connect())

    async def stop(self) -> None:
        """See `EventBus.stop`."""
        await asyncio.gather(*(reader.stop() for reader in self._readers))
        self._readers.clear()
        if self._connecting is not None:
            await end_tasks([self._connecting])
        await asyncio.gather(self._publisher.stop(), self._stream_publisher.stop())

    @property
    def publisher(self) -> KafkaPublisher:
        """See `EventBus.publisher`."""
        return self._publisher

    @property
    def stream_publisher(self) -> KafkaPublisher:
        """See `EventBus.stream_publisher`. Connects at its first `publish`: most processes have no streams to send."""
        return self._stream_publisher

    def check(self) -> str | None:
        """See `EventBus.check`."""
        return None if self._publisher.was_ready else f"Kafka at {self._settings.bootstrap_servers} was not reached yet"

    def check_alive(self) -> str | None:
        """See `EventBus.check_alive`."""
        return self._memberships.check_alive()

    def consumed(self) -> Mapping[tuple[str, str, str], int]:
        """See `EventBus.consumed`."""
        return self._memberships.consumed()

    def lag(self) -> Mapping[tuple[str, str], int]:
        """See `EventBus.lag`. The ends of the topics are as old as the watchdog's last look."""
        return self._memberships.lag()

    async def subscribe(
        self, *, group: str, topics: Sequence[str], handlers: HandlerTable, service: str, concurrency: int = 1
    ) -> KafkaSubscription:
        """See `EventBus.subscribe`."""
        subscription = KafkaSubscription(
            self._settings,
            group=group,
            topics=topics,
            make_dispatcher=partial(
                Dispatcher,
                group=group,
                service=service,
                handlers=handlers,
                publisher=self._publisher,
                concurrency=concurrency,
                retries=self._retries,
                around=self._around,
            ),
        )
        self._readers.append(subscription)
        self._memberships.joined(subscription)
        return subscription

    async def follow(self, *, topic: str, handlers: HandlerTable) -> KafkaFollower:
        """See `EventBus.follow`."""
        follower = KafkaFollower(self._settings, topic=topic, handlers=handlers, retries=self._retries)
        self._readers.append(follower)
        return follower

    async def tail(self, *, topic: str, partition: int, handlers: HandlerTable) -> KafkaTail:
        """See `EventBus.tail`."""
        tail = KafkaTail(self._settings, topic=topic, partition=partition, handlers=handlers)
        self._readers.append(tail)
        return tail

    async def read(self, *, topics: Sequence[str], start: Mapping[Partition, int] | None = None) -> KafkaLogReader:
        """See `EventBus.read`."""
        reader = KafkaLogReader(self._settings, topics=topics, start=start, on_stop=self._forget)
        self._readers.append(reader)
        return reader

    def _forget(self, reader: KafkaLogReader) -> None:
        # These come and go; the others stay for the life of the process.
        if reader in self._readers:
            self._readers.remove(reader)
