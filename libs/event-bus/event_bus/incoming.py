"""A record as it was read, before anybody knows whether it is a message. Made by the implementations of the bus."""

from typing import NamedTuple


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class IncomingRecord(NamedTuple):
    """Bytes and headers of one record and where they lie."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def headers_by_name(self) -> dict[str, bytes]:
        """The headers; of a repeated one, the last."""
        return {name: value or b"" for name, value in self.headers}

    @property
    def place(self) -> dict[str, str | int]:
        """Topic, partition and offset, as fields of a log line."""
        return {"topic": self.topic, "partition": self.partition, "offset": self.offset}
