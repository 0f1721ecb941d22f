"""The publish function of the relay: rows to records, and the bus's outcomes to deliveries."""

from collections.abc import Sequence

from event_bus import OutgoingRecord, Publisher
from message_contracts import ContractError, codec

from run_engine.events import EventContent, address
from run_engine.outbox.relay import Delivery, NotNow, Publish, Undeliverable
from run_engine.outbox.rows import OutboxRow


def publish_with(publisher: Publisher, content: EventContent) -> Publish:
    """A publish function over `publisher`; `content` says whether public events carry text."""

    async def publish(rows: Sequence[OutboxRow]) -> Sequence[Delivery]:
        deliveries: list[Delivery] = [None] * len(rows)
        records: list[OutgoingRecord] = []
        places: list[int] = []
        for place, row in enumerate(rows):
            record = _record(row, content)
            if isinstance(record, Undeliverable):
                deliveries[place] = record
            else:
                records.append(record)
                places.append(place)
        for place, outcome in zip(places, await publisher.publish(records), strict=True):
            if outcome is not None:
                deliveries[place] = NotNow(outcome.reason) if outcome.retryable else Undeliverable(outcome.reason)
        return deliveries

    return publish


def _record(row: OutboxRow, content: EventContent) -> OutgoingRecord | Undeliverable:
    try:
        addressed = address(row, content)
        encoded = codec.encode(addressed.message)
    except ContractError as error:
        return Undeliverable(str(error))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with this row, the others must go out
        return Undeliverable(f"the row cannot be read ({type(error).__name__})")
    return OutgoingRecord(topic=addressed.topic, key=addressed.key, value=encoded.value, headers=encoded.headers)
