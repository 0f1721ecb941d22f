"""What every part of Threadworks knows about the event bus: records, outcomes, handlers and the six protocols.

Services depend on this module alone (through `event_bus`); `event_bus.kafka` and `event_bus.in_process` implement it
and pass one conformance suite. Only a composition root names an implementation.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from message_contracts import Message

from event_bus.incoming import IncomingRecord, Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRecord:
    """One record to publish: encoded bytes and headers as `message_contracts.codec.encode` returns them.

    `key` decides the partition (all events of one thread share one); `partition` overrides it.
    """

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishError:
    """Why one record was not acknowledged.

    `retryable` is True when the same record may succeed later (the broker is away, a time-out: it may even have been
    written already) and False when it never can (too large, no such partition). `reason` is one sentence for an
    operator and never contains the payload.
    """

    retryable: bool
    reason: str


Outcome: TypeAlias = PublishError | None
"""What became of one published record: None once all in-sync replicas have it."""

Handler: TypeAlias = Callable[[Message], Awaitable[None]]
"""A plain async function of one decoded message. Returning acknowledges it."""

HandlerTable: TypeAlias = Mapping[str, Handler]
"""Message type (`threadworks.run.queued.v1`) to handler. Types that are not in the table are skipped and counted."""


Around: TypeAlias = Callable[[Message], AbstractContextManager[object]]
"""What each handling of a message by a subscription happens within: the context of its log lines, a span of its trace.
It sees what the handler raises."""


class Unavailable(Exception):
    """Something that the handler needs (a database) is away: pause, go on trying, acknowledge nothing."""


class Publisher(Protocol):
    """Sends records. Safe for concurrent use; two calls are ordered only when one starts after the other returned."""

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
        """Send the records in the given order, await all acknowledgements, return one outcome per record, in order.

        Never raises for a broker failure and is bounded by the bus's publish time-out (default 5 s). A record whose
        outcome is retryable may have been written all the same: publish it again and let consumers ignore repeats.
        """
        ...


class Subscription(Protocol):
    """A running membership of one consumer group."""

    def pause(self, *topics: str) -> None:
        """Stop handing out records of these topics, across rebalances, until `resume`. Lag stays visible to scalers."""
        ...

    def resume(self, *topics: str) -> None:
        """Hand out records of these topics again. Topics that are not paused are left as they are."""
        ...

    async def stop(self) -> None:
        """Stop fetching, await running handlers for at most 10 s, commit what is done, leave the group. Idempotent."""
        ...

    @property
    def failed(self) -> asyncio.Future[BaseException]:
        """Resolves with the cause when the subscription has died for good: the process should exit and be restarted."""
        ...


class Follower(Protocol):
    """Reads all partitions of a compacted topic from their beginning, outside any group, and stays on it."""

    async def caught_up(self) -> None:
        """Return once everything that was in the topic when the follower started has been handled."""
        ...

    async def stop(self) -> None:
        """Stop reading. Idempotent."""
        ...


class Tail(Protocol):
    """Reads one partition from its end, outside any group: for records that only matter while they are new."""

    async def ready(self) -> None:
        """Return once the tail stands at the end: whatever is published from now on is handed out.

        Returns at once while that is so; waits, for ever if need be, while the broker or the topic is away.
        """
        ...

    async def stop(self) -> None:
        """Stop reading. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Records that a `LogReader` has come to, in order within each partition."""

    records: Sequence[IncomingRecord]
    """As they lie there: nothing is decoded yet."""
    place: Mapping[Partition, int]
    """The offset after these, for every partition of all topics: a reader that starts there goes on behind them."""
    lost: bool
    """Records before these are gone (retention, or a topic that was made anew), which the reader was to read."""


class LogReader(Protocol):
    """Reads all partitions of some topics from a place on, outside any group, at the pace of whoever reads."""

    async def read(self) -> LogBatch:
        """Return what comes next, waiting for it, through outages too. Not for concurrent use.

        The first batch comes once the reader stands at its place, and may have no records: it tells the place.
        """
        ...

    async def stop(self) -> None:
        """Stop reading. Idempotent."""
        ...


class EventBus(Protocol):
    """One connection of a process to the bus: its publishers and any number of readers of each kind."""

    async def start(self) -> None:
        """Get ready to publish. Does not wait for the broker: a service starts while Kafka is away."""
        ...

    async def stop(self) -> None:
        """Stop what is still running (subscriptions and readers, then the publishers). Idempotent."""
        ...

    def check(self) -> str | None:
        """For the readiness of the process: None once the bus could be published to, and from then on.

        An outage of the bus must not take every gateway out of service.
        """
        ...

    def check_alive(self) -> str | None:
        """For the liveness of the process: None, or which subscription only a new process can bring back."""
        ...

    def consumed(self) -> Mapping[tuple[str, str, str], int]:
        """Records that subscriptions have taken so far, by group, topic and ending.

        Endings are `handled`, `skipped`, `dead_lettered` and `given_up` (delivered again, here or elsewhere).
        """
        ...

    def lag(self) -> Mapping[tuple[str, str], int]:
        """Records of the partitions that are owned here which have not ended yet, by group and topic.

        As the end of a topic is known here: on Kafka a few seconds old. Topics of which nothing is known are left out.
        """
        ...

    @property
    def publisher(self) -> Publisher:
        """The durable publisher of this process."""
        ...

    @property
    def stream_publisher(self) -> Publisher:
        """The quick publisher of this process, for records whose loss is repaired: None means that one replica has it.

        Independent of `publisher`: nothing waits for the other's records, and a failure of one leaves the other alone.
        """
        ...

    async def subscribe(
        self, *, group: str, topics: Sequence[str], handlers: HandlerTable, service: str, concurrency: int = 1
    ) -> Subscription:
        """Join a group and hand each record to the handler of its message type.

        Partitions are always worked on in parallel. With `concurrency` 1 the records of one partition are handled one
        at a time in order; with more, up to that many at once, and the contiguous offset is committed. `service` is
        written into dead letters. A record that cannot be read becomes a dead letter; a handler that fails is tried
        three times, then the record becomes a dead letter; `Unavailable` pauses the partition and tries for ever.
        """
        ...

    async def follow(self, *, topic: str, handlers: HandlerTable) -> Follower:
        """Read a compacted topic from its beginning. Unreadable records and failing handlers are logged and skipped."""
        ...

    async def tail(self, *, topic: str, partition: int, handlers: HandlerTable) -> Tail:
        """Read one partition from its end on; returns at once, see `Tail.ready`.

        Records are handed out one at a time, in order, once: a failing handler (also one that is `Unavailable`) and an
        unreadable record are logged and skipped. A tail survives an outage of the broker by itself, but records that
        were published around it may be missing: whoever reads a tail has another source for what it lacks.
        """
        ...

    async def read(self, *, topics: Sequence[str], start: Mapping[Partition, int] | None = None) -> LogReader:
        """Read all partitions of topics with a time span from `start` on, or from their ends; returns at once.

        `start` is the `place` of a batch, of this process or another one. A partition that it does not name is read
        from its beginning. Where it names an offset that is not there any more, reading begins with the earliest
        record that is, and the first batch says that something is `lost`.
        """
        ...
