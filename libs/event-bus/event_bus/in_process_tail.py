"""Reads one partition in memory from its end.

Used by `in_process` for `tail`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from event_bus.delivery import Ending, GoingOn, tail_delivery
from event_bus.in_process_log import Topics
from event_bus.incoming import Partition
from event_bus.interface import HandlerTable, Tail
from event_bus.task_ending import end_tasks

_BATCH = 200


class InProcessTail:
    """One reader of one partition. What it has not read yet is kept for it."""

    def __init__(
        self, topics: Topics, *, partition: Partition, handlers: HandlerTable, on_stop: Callable[["Tail"], None]
    ) -> None:
        self.topics = frozenset((partition.topic,))
        self._topics = topics
        self._partition = partition
        self._log = topics.log(partition)
        self._position = self._log.end_offset
        self._delivery = tail_delivery(handlers)
        self._on_stop = on_stop
        self._wake = asyncio.Event()
        self._stopped = False
        topics.readers.append(self)
        topics.reservations.append(self)
        self._task = asyncio.get_running_loop().create_task(self._read())

    @property
    def counts(self) -> Counter[tuple[str, Ending]]:
        """Records by topic and ending, for metrics."""
        return self._delivery.counts

    async def ready(self) -> None:
        """See `Tail.ready`: it stands at the end from the start."""

    async def stop(self) -> None:
        """See `Tail.stop`."""
        if not self._stopped:
            self._stopped = True
            self._topics.readers.remove(self)
            self._topics.reservations.remove(self)
            await end_tasks([self._task])
            self._on_stop(self)

    def wake(self) -> None:
        """See `Reader`."""
        self._wake.set()

    def needed_from(self, partition: Partition) -> int | None:
        """See `Reservation`."""
        return self._position if partition == self._partition else None

    async def _read(self) -> None:
        going_on = GoingOn()
        while True:
            self._wake.clear()
            for record in self._log.read(self._position, most=_BATCH):
                self._position = record.offset + 1
                await self._delivery.deliver(record, going_on)
            if self._position < self._log.end_offset:
                await asyncio.sleep(0)
            else:
                await self._wake.wait()
