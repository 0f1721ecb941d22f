"""What becomes of a record that nobody can handle: its original bytes on the dead-letter topic, with why, where, when.

Used by `delivery`, which writes them, and by `kafka_dead_letters`, which reads them for an operator. The original key
and headers stay (the trace among them), so that a dead letter can be replayed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from message_contracts import ContractError

from event_bus.incoming import IncomingRecord
from event_bus.interface import OutgoingRecord

TOPIC = "threadworks.dead-letters.v1"
PREFIX = "dead_letter_"
"""Our headers: topic, partition, offset, error_class, reason, service, group, time, value_left_out; and replayed, of
the records that say which letters were replayed."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One record that nobody could handle."""

    id: str
    """Where it lies on the dead-letter topic, as `partition/offset`: its name for an operator."""
    topic: str
    """The topic that it was on."""
    partition: int
    offset: int
    error_class: str
    reason: str | None
    """Why, where that can be said without the payload."""
    service: str
    group: str
    time: datetime
    key: bytes | None
    value: bytes | None
    """None where it was too large to be kept; it lies at its old place as long as that topic keeps it."""
    headers: tuple[tuple[str, bytes], ...]
    """The record's own."""
    replayed: bool = False
    """Whether an operator has sent it to its topic again."""

    @property
    def type(self) -> str:
        """The event's type, empty where it does not say."""
        return dict(self.headers).get("ce_type", b"").decode(errors="replace")


def letters(records: Sequence[IncomingRecord]) -> list[DeadLetter]:
    """What a dead-letter topic holds, oldest first. What is no dead letter of ours is left out."""
    marks = (record.headers_by_name.get(PREFIX + "replayed", b"") for record in records)
    replayed = {mark.decode(errors="replace") for mark in marks}
    found = (_letter(record, replayed) for record in records)
    return sorted((letter for letter in found if letter is not None), key=lambda letter: letter.time)


def replay(letter: DeadLetter, original: IncomingRecord | None = None) -> OutgoingRecord:
    """The record as it was, for its topic; of a letter without a value, `original` is the record at its old place."""
    if original is not None:
        headers = tuple((name, value or b"") for name, value in original.headers)
        return OutgoingRecord(topic=letter.topic, key=original.key, value=original.value or b"", headers=headers)
    return OutgoingRecord(topic=letter.topic, key=letter.key, value=letter.value or b"", headers=letter.headers)


def replay_mark(letter: DeadLetter) -> OutgoingRecord:
    """The record that says on the dead-letter topic that a letter was replayed: nothing can be taken off a topic."""
    return OutgoingRecord(topic=TOPIC, key=letter.key, value=b"", headers=((PREFIX + "replayed", letter.id.encode()),))


def _letter(record: IncomingRecord, replayed: set[str]) -> DeadLetter | None:
    ours = {
        name.removeprefix(PREFIX): value.decode(errors="replace")
        for name, value in record.headers_by_name.items()
        if name.startswith(PREFIX)
    }
    own_id = f"{record.partition}/{record.offset}"
    try:
        return DeadLetter(
            id=own_id,
            topic=ours["topic"],
            partition=int(ours["partition"]),
            offset=int(ours["offset"]),
            error_class=ours["error_class"],
            reason=ours.get("reason"),
            service=ours["service"],
            group=ours["group"],
            # One without a zone, which is not of ours, could not be sorted among them.
            time=datetime.fromisoformat(ours["time"]).astimezone(UTC),
            key=record.key,
            value=None if "value_left_out" in ours else record.value or b"",
            headers=tuple((name, value or b"") for name, value in record.headers if not name.startswith(PREFIX)),
            replayed=own_id in replayed,
        )
    except (KeyError, ValueError):
        return None
