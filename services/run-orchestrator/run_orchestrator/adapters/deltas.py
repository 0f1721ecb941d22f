"""Deltas on the bus: one record for everything that one slot is told at a time. Built by `bootstrap`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import structlog
from event_bus import OutgoingRecord, Publisher
from message_contracts import ContractError, Message, catalogue, codec

log = structlog.get_logger(__name__)

TYPE: Final = "threadworks.run-delta.produced.v1"
SOURCE: Final = "/threadworks/run-orchestrator"


class DeltaPublisher:
    """Publishes pieces to the partition of a slot. `now` gives the time, in UTC."""

    def __init__(self, publisher: Publisher, now: Callable[[], datetime]) -> None:
        self._publisher = publisher
        self._now = now
        self._topic = catalogue.topic_of(TYPE)

    async def send(self, slot: int, pieces: Sequence[Any]) -> bool:
        """Whether a broker has the record. What can never be sent counts as sent: readers find a gap, and fill it."""
        message = Message(
            type=TYPE,
            source=SOURCE,
            subject=f"slot/{slot}",
            tenant=None,
            data={"pieces": list(pieces)},
            id=str(uuid4()),
            time=self._now(),
        )
        try:
            encoded = codec.encode(message)
        except ContractError as error:
            log.error("deltas cannot be sent", action="deltas_rejected", error=type(error).__name__)
            return True
        record = OutgoingRecord(
            topic=self._topic, key=None, value=encoded.value, headers=encoded.headers, partition=slot
        )
        (outcome,) = await self._publisher.publish([record])
        if outcome is None:
            return True
        log.debug("deltas were not sent", action="deltas_lost", slot=slot, reason=outcome.reason)
        return not outcome.retryable
