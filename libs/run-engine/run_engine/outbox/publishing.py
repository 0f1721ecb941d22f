"""The publish function of the relay: rows to records, and the bus's outcomes to deliveries."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from event_bus import OutgoingRecord, Publisher
from message_contracts import ContractError, codec
from observability.tracing import Span, span_of, spans_are_made

from run_engine.events import EventContent, address
from run_engine.outbox.relay import Delivery, NotNow, Publish, Undeliverable
from run_engine.outbox.rows import OutboxRow

_PREFIX: Final = "threadworks."


def publish_with(publisher: Publisher, content: EventContent) -> Publish:
    """A publish function over `publisher`; `content` says whether public events carry text."""

    async def publish(rows: Sequence[OutboxRow]) -> Sequence[Delivery]:
        deliveries: list[Delivery] = [None] * len(rows)
        records: list[OutgoingRecord] = []
        places: list[int] = []
        spans = [_span(row) for row in rows]
        for place, row in enumerate(rows):
            record = _record(row, content, spans[place])
            if isinstance(record, Undeliverable):
                deliveries[place] = record
            else:
                records.append(record)
                places.append(place)
        for place, outcome in zip(places, await publisher.publish(records), strict=True):
            if outcome is not None:
                deliveries[place] = NotNow(outcome.reason) if outcome.retryable else Undeliverable(outcome.reason)
        for span, delivery in zip(spans, deliveries, strict=True):
            _close(span, delivery)
        return deliveries

    return publish


def _span(row: OutboxRow) -> Span | None:
    """A span of the trace that the row belongs to, if it does and spans are made."""
    if row.traceparent is None or not spans_are_made():
        return None
    attributes = {"messaging.message.id": str(row.event_id), "messaging.operation.type": "send"}
    return span_of(row.traceparent, f"publish {row.type.removeprefix(_PREFIX)}", "producer", attributes).open()


def _close(span: Span | None, delivery: Delivery) -> None:
    if span is not None:
        if delivery is not None:
            span.failed(type(delivery).__name__)
        span.close()


def _record(row: OutboxRow, content: EventContent, span: Span | None) -> OutgoingRecord | Undeliverable:
    try:
        addressed = address(row, content)
        message = addressed.message if span is None else replace(addressed.message, traceparent=span.traceparent)
        encoded = codec.encode(message)
    except ContractError as error:
        return Undeliverable(str(error))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with this row, the others must go out
        return Undeliverable(f"the row cannot be read ({type(error).__name__})")
    return OutgoingRecord(topic=addressed.topic, key=addressed.key, value=encoded.value, headers=encoded.headers)
