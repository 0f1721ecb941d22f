"""Reads all partitions of some topics in memory from given places on, and hands out what lies there.

Used by `in_process` for `read`. What it has not handed out yet is kept for it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from event_bus.in_process_log import Topics
from event_bus.incoming import IncomingRecord, Partition
from event_bus.interface import LogBatch, LogReader

_BATCH = 200


class InProcessLogReader:
    """One reader of all partitions."""

    def __init__(
        self,
        topics: Topics,
        *,
        names: Sequence[str],
        start: Mapping[Partition, int] | None,
        on_stop: Callable[["LogReader"], None],
    ) -> None:
        self.topics = frozenset(names)
        self._topics = topics
        self._logs = {partition: log for name in names for partition, log in topics.partitions(name).items()}
        self._on_stop = on_stop
        self._wake = asyncio.Event()
        self._stopped = False
        self._standing = False
        self._lost = False
        self._place: dict[Partition, int] = {}
        for partition, log in self._logs.items():
            wanted = log.end_offset if start is None else start.get(partition, log.first_offset)
            gone = not log.first_offset <= wanted <= log.end_offset
            self._lost = self._lost or gone
            self._place[partition] = log.first_offset if gone else wanted
        topics.readers.append(self)
        topics.reservations.append(self)

    async def read(self) -> LogBatch:
        """See `LogReader.read`."""
        if not self._standing:
            self._standing = True
            return LogBatch((), dict(self._place), self._lost)
        while True:
            self._wake.clear()
            records: list[IncomingRecord] = []
            for partition, log in self._logs.items():
                found = log.read(self._place[partition], most=_BATCH - len(records))
                if found:
                    records += found
                    self._place[partition] = found[-1].offset + 1
            if records:
                return LogBatch(records, dict(self._place), lost=False)
            await self._wake.wait()

    async def stop(self) -> None:
        """See `LogReader.stop`."""
        if not self._stopped:
            self._stopped = True
            self._topics.readers.remove(self)
            self._topics.reservations.remove(self)
            self._on_stop(self)

    def wake(self) -> None:
        """See `Reader`."""
        self._wake.set()

    def needed_from(self, partition: Partition) -> int | None:
        """See `Reservation`."""
        return self._place.get(partition)
