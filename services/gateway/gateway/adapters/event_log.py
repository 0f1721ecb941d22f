"""Reads the public topics of the event bus. Built by `bootstrap` for the event feed."""

from collections.abc import Mapping
from functools import cached_property

import structlog
from event_bus import EventBus, IncomingRecord, LogReader, Message, Partition
from message_contracts import ContractError, catalogue, codec
from message_contracts.catalogue import Topic
from message_contracts.structured_mode import structured

from gateway.application.event_feed.ports import Batch, OpenLog, Place, Position

log = structlog.get_logger(__name__)


def public_topics() -> list[Topic]:
    """Return the topics that anyone may read: what travels there is part of the product's interface."""
    return [topic for topic in catalogue.topics() if "public" in topic.consumers]


def logs_on(bus: EventBus) -> OpenLog:
    """Return what begins to read these topics."""
    names = [topic.name for topic in public_topics()]

    async def open_log(place: Place | None) -> PublicLog:
        start = None if place is None else {Partition(*position): offset for position, offset in place.items()}
        return PublicLog(await bus.read(topics=names, start=start))

    return open_log


class PublicLog:
    """See `ports.Log`."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    async def read(self) -> Batch:
        """See `Log.read`."""
        batch = await self._reader.read()
        place: Mapping[Position, int] = {(topic, number): at for (topic, number), at in batch.place.items()}
        return Batch([StoredEvent(record) for record in batch.records], place, batch.lost)

    async def stop(self) -> None:
        """See `Log.stop`."""
        await self._reader.stop()


class StoredEvent:
    """See `ports.PublicEvent`. Only what somebody asks for is decoded: most records are of other tenants."""

    def __init__(self, record: IncomingRecord) -> None:
        self._record = record
        self.position: Position = (record.topic, record.partition)
        self.offset = record.offset

    @cached_property
    def tenant(self) -> str | None:
        """See `PublicEvent.tenant`."""
        return self._attribute("ce_tenant") or (None if self._message is None else self._message.tenant)

    @cached_property
    def type(self) -> str:
        """See `PublicEvent.type`."""
        return self._attribute("ce_type") or ("" if self._message is None else self._message.type)

    @property
    def thread_id(self) -> str:
        """See `PublicEvent.thread_id`: the key of both topics."""
        return (self._record.key or b"").decode(errors="replace")

    def structured(self) -> bytes | None:
        """See `PublicEvent.structured`."""
        return self._structured

    @cached_property
    def _structured(self) -> bytes | None:
        return None if self._message is None else structured(self._message)

    @cached_property
    def _message(self) -> Message | None:
        try:
            return codec.decode(self._record.headers, self._record.value or b"")
        except ContractError as error:
            # Of a later version, or nothing that anybody could use.
            log.warning(
                "an event cannot be told to subscribers",
                action="event_not_told",
                error=type(error).__name__,
                **self._record.place,
            )
            return None

    def _attribute(self, name: str) -> str | None:
        for key, value in self._record.headers:
            if key == name:
                return value.decode(errors="replace")
        return None
