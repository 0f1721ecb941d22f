"""The answers given lately, so that a repeated call is answered again without being executed again.

A call is delivered again when a process stopped between the answer and the commit of the offset, or after a rebalance;
`answering` keeps what it published here.
"""

from collections import OrderedDict

from event_bus import OutgoingRecord

Key = tuple[str, str, str]


class RecentAnswers:
    """The least recently used answers go when there are too many or when they take too much memory."""

    def __init__(self, *, most: int = 10_000, most_bytes: int = 32 * 1024 * 1024) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._records: OrderedDict[Key, OutgoingRecord] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: Key) -> OutgoingRecord | None:
        """Return the answer of a call, if it is still known."""
        record = self._records.get(key)
        if record is not None:
            self._records.move_to_end(key)
        return record

    def put(self, key: Key, record: OutgoingRecord) -> None:
        """Remember an answer."""
        self._forget(key)
        self._records[key] = record
        self._bytes += len(record.value)
        while self._records and (len(self._records) > self._most or self._bytes > self._most_bytes):
            self._forget(next(iter(self._records)))

    def _forget(self, key: Key) -> None:
        record = self._records.pop(key, None)
        if record is not None:
            self._bytes -= len(record.value)
