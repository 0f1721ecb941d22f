"""What becomes of a record that nobody can handle: its original bytes on the dead-letter topic, with why, where, when.

Used by `delivery`. The original key and headers stay (the trace among them), so that a dead letter can be replayed.
"""

from datetime import UTC, datetime

from message_contracts import ContractError

from event_bus.incoming import IncomingRecord
from event_bus.interface import OutgoingRecord

TOPIC = "threadworks.dead-letters.v1"
PREFIX = "dead_letter_"
"""Our headers: topic, partition, offset, error_class, reason, service, group, time, value_left_out."""


def dead_letter(
    record: IncomingRecord, error: Exception, *, service: str, group: str, now: datetime | None = None
) -> OutgoingRecord:
    """The record to publish. Its reason is a sentence only for contract errors, which never quote a payload."""
    why = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "error_class": type(error).__name__,
        "service": service,
        "group": group,
        "time": (now or datetime.now(UTC)).isoformat(),
    }
    if isinstance(error, ContractError):
        why["reason"] = str(error)
    original = tuple((name, value or b"") for name, value in record.headers if not name.startswith(PREFIX))
    ours = tuple((PREFIX + name, text.encode(errors="replace")) for name, text in why.items())
    return OutgoingRecord(topic=TOPIC, key=record.key, value=record.value or b"", headers=original + ours)


def without_value(letter: OutgoingRecord) -> OutgoingRecord:
    """The same for a record that is too large together with our headers: it still lies where the headers say."""
    ours = tuple((name, value) for name, value in letter.headers if name.startswith(PREFIX))
    mark = (PREFIX + "value_left_out", b"too large")
    return OutgoingRecord(topic=letter.topic, key=None, value=b"", headers=(*ours, mark))
