"""Topics in memory: partitions, offsets, retention and compaction, as far as services can tell them from Kafka's.

Used by the other in_process modules only.
"""

import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from message_contracts.catalogue import Topic

from event_bus.incoming import IncomingRecord, Partition
from event_bus.interface import Outcome, OutgoingRecord, PublishError

RETAINED = 200
"""Records that a partition keeps although nobody needs them any more."""
RETAINED_FOR_ALL = 1000
"""The same of a public topic: subscribers come back for what they missed. A run has about ten events."""
LARGEST_RECORD = 1024 * 1024
"""Bytes of key, value and headers, as with Kafka."""
_PARTITIONS = 12


class Reader(Protocol):
    """Whoever waits for records of some topics."""

    @property
    def topics(self) -> frozenset[str]:
        """Names of the topics."""
        ...

    def wake(self) -> None:
        """There is something new in one of them."""
        ...


class Reservation(Protocol):
    """Whoever will come back for records: a consumer group."""

    def needed_from(self, partition: Partition) -> int | None:
        """The first offset that it still needs, None when it does not read the topic."""
        ...


class PartitionLog:
    """Records of one partition, by offset. Offsets have gaps where compaction took something away."""

    def __init__(self, partition: Partition, *, compacted: bool, retained: int = RETAINED, origin: int = 0) -> None:
        self._partition = partition
        self.origin = origin
        """Offset of the first record that there ever was."""
        self._compacted = compacted
        self._retained = retained
        self._records: deque[IncomingRecord] = deque()
        self.end_offset = origin
        """Offset of the next record."""

    @property
    def first_offset(self) -> int:
        """Offset of the first record that is kept."""
        return self._records[0].offset if self._records else self.end_offset

    def append(self, record: OutgoingRecord) -> None:
        """Store a record at the end."""
        if self._compacted:
            self._records = deque(kept for kept in self._records if kept.key != record.key)
        topic, number = self._partition
        self._records.append(
            IncomingRecord(topic, number, self.end_offset, record.key, record.value, tuple(record.headers))
        )
        self.end_offset += 1

    def read(self, offset: int, *, most: int) -> Sequence[IncomingRecord]:
        """Up to `most` records from `offset` on."""
        newer: list[IncomingRecord] = []
        for record in reversed(self._records):  # readers are near the end
            if record.offset < offset:
                break
            newer.append(record)
        newer.reverse()
        return newer[:most]

    def trim(self, needed_from: int) -> None:
        """Forget records before `needed_from`, but for the last few. A compacted partition forgets by key alone."""
        while not self._compacted and len(self._records) > self._retained and self._records[0].offset < needed_from:
            self._records.popleft()


class TopicLog:
    """The partitions of one topic."""

    def __init__(
        self, name: str, *, partitions: int, compacted: bool, retained: int = RETAINED, origin: int = 0
    ) -> None:
        self._name = name
        self._turn = 0
        self.partitions = {
            partition: PartitionLog(partition, compacted=compacted, retained=retained, origin=origin)
            for partition in (Partition(name, number) for number in range(partitions))
        }

    def partition_of(self, record: OutgoingRecord) -> Partition:
        """By number, by key, or in turn."""
        if record.partition is not None:
            return Partition(self._name, record.partition)
        if record.key is not None:
            return Partition(self._name, zlib.crc32(record.key) % len(self.partitions))
        self._turn += 1
        return Partition(self._name, self._turn % len(self.partitions))


class Topics:
    """All topics. One comes into being when it is first named, as declared where it is declared."""

    def __init__(self, declared: Iterable[Topic], *, first_offset: int = 0) -> None:
        self._first_offset = first_offset
        self._declared = {topic.name: topic for topic in declared}
        self._logs: dict[str, TopicLog] = {}
        self.readers: list[Reader] = []
        self.reservations: list[Reservation] = []

    def partitions(self, name: str) -> dict[Partition, PartitionLog]:
        """The partitions of a topic."""
        return self._topic(name).partitions

    def log(self, partition: Partition) -> PartitionLog:
        """The log of a partition."""
        return self._topic(partition.topic).partitions[partition]

    def append(self, record: OutgoingRecord) -> Outcome:
        """Store a record and wake up its readers."""
        topic = self._topic(record.topic)
        partition = topic.partition_of(record)
        if partition not in topic.partitions:
            return PublishError(retryable=False, reason=f"{record.topic} has no partition {record.partition}")
        headers = sum(len(name) + len(value) for name, value in record.headers)
        if len(record.key or b"") + len(record.value) + headers > LARGEST_RECORD:
            return PublishError(retryable=False, reason="the record is larger than the bus takes")
        log = topic.partitions[partition]
        log.append(record)
        needed = [offset for one in self.reservations if (offset := one.needed_from(partition)) is not None]
        log.trim(min(needed, default=log.end_offset))
        for reader in self.readers:
            if record.topic in reader.topics:
                reader.wake()
        return None

    def _topic(self, name: str) -> TopicLog:
        log = self._logs.get(name)
        if log is None:
            declared = self._declared.get(name)
            partitions = _PARTITIONS if declared is None else declared.partitions
            log = TopicLog(
                name,
                partitions=partitions,
                compacted=declared is not None and declared.compacted,
                retained=RETAINED_FOR_ALL if declared is not None and "public" in declared.consumers else RETAINED,
                origin=self._first_offset,
            )
            self._logs[name] = log
        return log
