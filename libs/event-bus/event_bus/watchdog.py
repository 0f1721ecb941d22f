"""Notices a consumer that lives and is stuck: Kafka's client gives no signal of it after some broker restarts.

Used by `kafka_subscription`. A pure state machine over observations and a clock.
"""

import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from event_bus.incoming import Partition


class SubscriptionStuck(Exception):
    """A partition goes on growing and nothing of it arrives: only a new process helps."""

    def __init__(self, partition: Partition, seconds: float) -> None:
        super().__init__(f"no progress on {partition.topic}-{partition.number} for {seconds:.0f} s while it grows")
        self.partition = partition


@dataclass(slots=True)
class _Mark:
    progress: Hashable
    end_offset: int
    since: float


class Watchdog:
    """Remembers for each partition when it last made progress and how long its log was then.

    `limit` is in seconds. `clock` gives seconds and never goes back.
    """

    def __init__(self, *, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._marks: dict[Partition, _Mark] = {}

    def observe(self, partition: Partition, *, progress: Hashable, end_offset: int, stands_still: bool) -> None:
        """One look at a partition. Raises SubscriptionStuck when it has been stuck for longer than the limit.

        `progress` is any value that changes when records arrive or end. A partition that stands still on purpose
        (paused, or waiting for a database) is never stuck.
        """
        now = self._clock()
        mark = self._marks.get(partition)
        if mark is None or stands_still or mark.progress != progress:
            self._marks[partition] = _Mark(progress, end_offset, now)
        elif end_offset > mark.end_offset and now - mark.since >= self._limit:
            raise SubscriptionStuck(partition, now - mark.since)

    def keep_only(self, partitions: Iterable[Partition]) -> None:
        """Forget what went to other members."""
        self._marks = {partition: self._marks[partition] for partition in partitions if partition in self._marks}
