"""What the members of a group have in common, in memory and on Kafka: the outside of a dispatcher, and one way to stop.

Base class of `in_process_group.InProcessSubscription` and `kafka_subscription.KafkaSubscription`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter

from event_bus.delivery import Ending
from event_bus.dispatcher import Dispatcher
from event_bus.incoming import Partition


class Member(ABC):
    """See `Subscription`. It stops once, also by itself when its dispatcher has failed."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._stopping: asyncio.Task[None] | None = None
        self.failed.add_done_callback(lambda _: self._begin_stop())

    @property
    def group(self) -> str:
        """The consumer group."""
        return self._dispatcher.group

    @property
    def failed(self) -> "asyncio.Future[BaseException]":
        """See `Subscription.failed`."""
        return self._dispatcher.failed

    @property
    def counts(self) -> Counter[tuple[str, Ending]]:
        """Records by topic and ending, for metrics."""
        return self._dispatcher.counts

    @property
    def assignment(self) -> frozenset[Partition]:
        """The partitions that this member owns just now."""
        return frozenset(self._dispatcher.lanes)

    def pause(self, *topics: str) -> None:
        """See `Subscription.pause`."""
        self._dispatcher.pause(*topics)

    def resume(self, *topics: str) -> None:
        """See `Subscription.resume`."""
        self._dispatcher.resume(*topics)

    async def stop(self) -> None:
        """See `Subscription.stop`."""
        await asyncio.shield(self._begin_stop())

    def _begin_stop(self) -> "asyncio.Task[None]":
        if self._stopping is None:
            self._dispatcher.suspend()
            self._stopping = asyncio.get_running_loop().create_task(self._stop())
        return self._stopping

    @abstractmethod
    def lag(self) -> dict[str, int]:
        """Records of our partitions that have not ended yet, by topic, as far as the ends are known."""

    @abstractmethod
    async def _stop(self) -> None:
        """Stop fetching, let handlers end, commit, leave. Called once."""
