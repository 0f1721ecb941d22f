"""Reads a topic in memory from its beginning, outside any group, and stays on it.

Used by `in_process` for `follow`.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable

from event_bus.delivery import Delivery, Ending
from event_bus.in_process_log import Topics
from event_bus.interface import Follower
from event_bus.task_ending import end_tasks

_BATCH = 200


class InProcessFollower:
    """One reader of all partitions; records are handled one after the other."""

    def __init__(
        self, topics: Topics, *, topic: str, delivery: Delivery, on_stop: Callable[["Follower"], None]
    ) -> None:
        self.topics = frozenset((topic,))
        self._log = topics
        self._delivery = delivery
        self._on_stop = on_stop
        self._positions = dict.fromkeys(topics.partitions(topic), 0)
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()
        self._caught_up = asyncio.Event()
        topics.readers.append(self)
        self._task = asyncio.get_running_loop().create_task(self._read())

    @property
    def counts(self) -> Counter[tuple[str, Ending]]:
        """Records by topic and ending, for metrics."""
        return self._delivery.counts

    async def caught_up(self) -> None:
        """See `Follower.caught_up`."""
        await self._caught_up.wait()

    async def stop(self) -> None:
        """See `Follower.stop`."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._log.readers.remove(self)
            await end_tasks([self._task])
            self._on_stop(self)

    def wake(self) -> None:
        """See `Reader`."""
        self._wake.set()

    async def _read(self) -> None:
        while True:
            self._wake.clear()
            found = False
            for partition, position in self._positions.items():
                for record in self._log.log(partition).read(position, most=_BATCH):
                    found = True
                    await self._delivery.deliver(record, self)
                    self._positions[partition] = record.offset + 1
            if not found:
                self._caught_up.set()
                await self._wake.wait()

    def blocked(self) -> None:
        """See `Waiting.blocked`: records are handled one after the other anyway."""

    async def wait(self, seconds: float) -> bool:
        """See `Waiting.wait`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        return not self._stopped.is_set()
