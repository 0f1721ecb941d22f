"""The CloudEvents 1.0 envelope on Kafka: which headers there are and how their values are written and read.

Called by the codec alone. Attribute names here are CloudEvents' own; on Kafka each has the prefix `ce_`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from message_contracts.errors import InvalidMessage

PREFIX = "ce_"
SPEC_VERSION = "1.0"
CONTENT_TYPE = "content-type"
TRACEPARENT = "traceparent"
JSON_CONTENT = "application/json"
LARGEST_INTEGER = 2**31 - 1
"""CloudEvents integers are signed 32-bit numbers."""

_JSON_CONTENT_BYTES = JSON_CONTENT.encode()
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_INTEGER = re.compile(r"\d{1,10}", re.ASCII)
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# CloudEvents strings hold no control characters; refusing them also keeps one log line one line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def structured(content_type: bytes | None) -> bool:
    """Whether the value is a whole CloudEvent in JSON (structured mode) rather than the data alone.

    Raises InvalidMessage for other formats of whole events, in which not even the type can be read.
    """
    if content_type is None or not content_type.lower().startswith(b"application/cloudevents"):
        return False
    if _media_type(content_type) != b"application/cloudevents+json":
        raise InvalidMessage("content-type: only the JSON format of CloudEvents is read, one event a record")
    return True


def require_json(content_type: bytes | None) -> None:
    """Raises InvalidMessage when the data is declared to be anything but JSON; without a content type it is JSON."""
    if content_type is None or content_type == _JSON_CONTENT_BYTES:
        return
    media_type = _media_type(content_type)
    if media_type != _JSON_CONTENT_BYTES and not media_type.endswith(b"+json"):
        raise InvalidMessage("content-type: not JSON")


def _media_type(content_type: bytes) -> bytes:
    return content_type.split(b";", 1)[0].strip().lower()


def attributes_of_headers(headers: Mapping[str, bytes]) -> dict[str, object]:
    """Binary mode: attribute name → text, with `traceparent` beside them. Raises InvalidMessage for broken UTF-8."""
    attributes: dict[str, object] = {}
    try:
        for name, value in headers.items():
            if name.startswith(PREFIX):
                attributes[name[3:]] = value.decode()
    except UnicodeDecodeError:
        raise InvalidMessage(f"header {name}: not UTF-8") from None
    except AttributeError:  # a Kafka header may have no value, whatever the types say
        raise InvalidMessage(f"header {name}: no value") from None
    if headers.get(TRACEPARENT):
        attributes[TRACEPARENT] = headers[TRACEPARENT].decode(errors="replace")
    return attributes


def attributes_of_event(value: bytes) -> dict[str, object]:
    """Structured mode: the members of the event, `data` among them; null counts as absent. Raises InvalidMessage."""
    return {name: member for name, member in json_object(value, "event").items() if member is not None}


def data_of_event(members: Mapping[str, object]) -> dict[str, object]:
    """Structured mode: the data among the members. Raises InvalidMessage when it is not a JSON object."""
    if members.get("datacontenttype", JSON_CONTENT) != JSON_CONTENT or "data_base64" in members:
        raise InvalidMessage("event: its data is not JSON")
    data = members.get("data")
    if not isinstance(data, dict):
        raise InvalidMessage("data: missing or not a JSON object")
    return data


def json_object(value: bytes, what: str) -> dict[str, object]:
    """Parse a JSON object. `what` names it in the InvalidMessage that is raised for anything else."""
    if not value:
        raise InvalidMessage(f"{what}: empty")
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        raise InvalidMessage(f"{what}: not JSON") from None
    if not isinstance(parsed, dict):
        raise InvalidMessage(f"{what}: not a JSON object")
    return parsed


def required_text(attributes: Mapping[str, object], name: str) -> str:
    """An attribute that every message has. Raises InvalidMessage when it is missing, empty or not printable."""
    if name not in attributes:
        raise InvalidMessage(f"{name}: missing")
    return checked_text(name, attributes[name])


def optional_text(attributes: Mapping[str, object], name: str) -> str | None:
    """An attribute that may be absent. Raises InvalidMessage when it is empty or not printable."""
    return checked_text(name, attributes[name]) if name in attributes else None


def checked_text(name: str, text: object) -> str:
    """The text itself. Raises InvalidMessage when it is not text, empty, or holds control characters."""
    if not isinstance(text, str) or not text:
        raise InvalidMessage(f"{name}: empty or not text")
    if not text.isprintable() and _CONTROL.search(text):
        raise InvalidMessage(f"{name}: holds control characters")
    return text


def optional_integer(attributes: Mapping[str, object], name: str) -> int | None:
    """A number from 0 to 2³¹ − 1, or its decimal digits; None when absent. Raises InvalidMessage for anything else."""
    number = attributes.get(name)
    if isinstance(number, str) and _INTEGER.fullmatch(number):
        number = int(number)
    return None if number is None else checked_integer(name, number)


def checked_integer(name: str, number: object) -> int:
    """The number itself. Raises InvalidMessage when it is not a whole number from 0 to 2³¹ − 1."""
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= LARGEST_INTEGER:
        raise InvalidMessage(f"{name}: not a whole number from 0 to {LARGEST_INTEGER}")
    return number


def instant(text: str) -> datetime:
    """Read an RFC 3339 time, digits below a microsecond dropped; aware, UTC. Raises InvalidMessage."""
    if not _TIME.fullmatch(text):
        raise InvalidMessage("time: not an RFC 3339 time")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidMessage("time: not an RFC 3339 time") from None


def rfc3339(time: datetime) -> str:
    """Write an aware time in UTC with a trailing Z. Raises InvalidMessage for a naive one."""
    if time.tzinfo is not UTC:
        if time.utcoffset() is None:
            raise InvalidMessage("time: has no time zone")
        time = time.astimezone(UTC)
    return time.isoformat()[:-6] + "Z"


def trace_context(traceparent: object) -> str | None:
    """The trace context when it is well-formed, else None, as W3C asks: tracing never stops a message."""
    return traceparent if isinstance(traceparent, str) and _TRACEPARENT.fullmatch(traceparent) else None
