"""The event bus within one process, for `threadworks run` and for tests without Kafka.

It carries the same encoded bytes and passes the same conformance suite as Kafka. Differences: topics come into being
when they are first named, nothing outlives the process, and a partition keeps only the last records that nobody needs.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial

from message_contracts import catalogue
from message_contracts.catalogue import Topic

from event_bus.delivery import Delivery, SkippingGraveyard
from event_bus.dispatcher import Dispatcher
from event_bus.in_process_follower import InProcessFollower
from event_bus.in_process_group import Group, InProcessSubscription
from event_bus.in_process_log import Topics
from event_bus.in_process_log_reader import InProcessLogReader
from event_bus.in_process_tail import InProcessTail
from event_bus.incoming import Partition
from event_bus.interface import Around, Follower, HandlerTable, LogReader, Outcome, OutgoingRecord, Subscription, Tail
from event_bus.memberships import Memberships
from event_bus.retries import RetryPolicy


class InProcessPublisher:
    """See `Publisher`. Every record is acknowledged or refused at once."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
        """See `Publisher.publish`."""
        return [self._topics.append(record) for record in records]


class InProcessBus:
    """See `event_bus.EventBus`. `topics` are declared on top of those of the catalogue.

    Offsets begin at `first_offset`. Give each process a higher one than the process before it can have come to, and a
    place of that one is known to be gone.
    """

    def __init__(
        self,
        topics: Sequence[Topic] = (),
        *,
        retries: RetryPolicy | None = None,
        around: Around = nullcontext,
        first_offset: int = 0,
    ) -> None:
        self._around = around
        self._memberships = Memberships()
        self._topics = Topics([*catalogue.topics(), *topics], first_offset=first_offset)
        self._retries = retries or RetryPolicy()
        self._groups: dict[str, Group] = {}
        self._readers: list[Subscription | Follower | Tail | LogReader] = []
        self._publisher = InProcessPublisher(self._topics)

    async def start(self) -> None:
        """See `EventBus.start`. There is nothing to connect to."""

    async def stop(self) -> None:
        """See `EventBus.stop`."""
        await asyncio.gather(*(reader.stop() for reader in self._readers))

    @property
    def publisher(self) -> InProcessPublisher:
        """See `EventBus.publisher`."""
        return self._publisher

    @property
    def stream_publisher(self) -> InProcessPublisher:
        """See `EventBus.stream_publisher`. Nothing can be quicker than the one publisher."""
        return self._publisher

    def check(self) -> str | None:
        """See `EventBus.check`. Nothing can be missing."""
        return None

    def check_alive(self) -> str | None:
        """See `EventBus.check_alive`."""
        return self._memberships.check_alive()

    def consumed(self) -> Mapping[tuple[str, str, str], int]:
        """See `EventBus.consumed`."""
        return self._memberships.consumed()

    def lag(self) -> Mapping[tuple[str, str], int]:
        """See `EventBus.lag`. Exact."""
        return self._memberships.lag()

    async def subscribe(
        self, *, group: str, topics: Sequence[str], handlers: HandlerTable, service: str, concurrency: int = 1
    ) -> InProcessSubscription:
        """See `EventBus.subscribe`."""
        if group not in self._groups:
            self._groups[group] = Group(self._topics)
        subscription = InProcessSubscription(
            self._topics,
            self._groups[group],
            names=topics,
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
            on_stop=self._forget,
        )
        self._readers.append(subscription)
        self._memberships.joined(subscription)
        await self._groups[group].join(subscription)
        return subscription

    async def follow(self, *, topic: str, handlers: HandlerTable) -> InProcessFollower:
        """See `EventBus.follow`."""
        delivery = Delivery(handlers=handlers, graveyard=SkippingGraveyard(), retries=self._retries)
        follower = InProcessFollower(self._topics, topic=topic, delivery=delivery, on_stop=self._forget)
        self._readers.append(follower)
        return follower

    async def tail(self, *, topic: str, partition: int, handlers: HandlerTable) -> InProcessTail:
        """See `EventBus.tail`. Raises KeyError for a partition that the topic does not have."""
        tail = InProcessTail(
            self._topics, partition=Partition(topic, partition), handlers=handlers, on_stop=self._forget
        )
        self._readers.append(tail)
        return tail

    async def read(self, *, topics: Sequence[str], start: Mapping[Partition, int] | None = None) -> InProcessLogReader:
        """See `EventBus.read`."""
        reader = InProcessLogReader(self._topics, names=topics, start=start, on_stop=self._forget)
        self._readers.append(reader)
        return reader

    def _forget(self, reader: Subscription | Follower | Tail | LogReader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)
        if isinstance(reader, InProcessSubscription):
            self._memberships.left(reader)
