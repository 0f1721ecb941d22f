"""Bytes ↔ validated message: the one place where a message meets its wire form.

Producers (relay, tool services) call `encode`, the event bus calls `decode`; both validate against the schema of the
type. Written is the CloudEvents 1.0 Kafka binding in binary mode: attributes as `ce_…` headers, the data as the value.
Structured mode (the whole event as the value) is understood on input. No error holds payload text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from message_contracts import cloud_events
from message_contracts.cloud_events import (
    checked_integer,
    checked_text,
    optional_integer,
    optional_text,
    required_text,
)
from message_contracts.errors import InvalidMessage, UnknownType
from message_contracts.message import Message
from message_contracts.schemas import Contract, contract

MAX_VALUE_BYTES = 1_048_576 - 16_384
"""Largest value. Kafka's defaults take records up to 1 MiB; 16 KiB of that are left for headers, key and framing."""
MAX_HEADER_BYTES = 8_192
"""Largest sum of header names and values."""

# What orjson would turn into text without being asked would come back as something else.
_JSON_ONLY = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


class Encoded(NamedTuple):
    """A message as Kafka carries it."""

    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def encode(message: Message) -> Encoded:
    """Validate a message as its producer and write it in binary mode.

    Raises InvalidMessage when the type is not in the contracts, the data does not fit its schema, an attribute is
    malformed, or the result is too large for a Kafka record.
    """
    found = contract(message.type)
    if found is None:
        raise InvalidMessage(f"type: {message.type!r} is not in the contracts")
    if found.tenant_required and message.tenant is None:
        raise InvalidMessage("tenant: missing")
    value = _value(message.data)
    # Parsed again, so that what is judged is what consumers get: orjson writes NaN as null, enums as their values.
    violation = found.produced_violation(orjson.loads(value))
    if violation is not None:
        raise InvalidMessage(f"data: {violation}")
    return Encoded(value, _headers(message, found.dataschema))


def decode(headers: Sequence[tuple[str, bytes]], value: bytes) -> Message:
    """Read and validate a record in binary or structured mode; of a repeated header the last one counts.

    Raises UnknownType for a type or major that is not in the contracts, InvalidMessage for everything else.
    """
    by_name = dict(headers)
    content_type = by_name.get(cloud_events.CONTENT_TYPE)
    # The type comes first: a consumer skips one it does not know, or not in this major, without judging its data.
    if cloud_events.structured(content_type):
        attributes = cloud_events.attributes_of_event(value)
        found = _contract_of(attributes)
        data = cloud_events.data_of_event(attributes)
    else:
        attributes = cloud_events.attributes_of_headers(by_name)
        found = _contract_of(attributes)
        cloud_events.require_json(content_type)
        data = cloud_events.json_object(value, "data")
    violation = found.consumed_violation(data)
    if violation is not None:
        raise InvalidMessage(f"data: {violation}")
    message = _message(found.type, attributes, data)
    if found.tenant_required and message.tenant is None:
        raise InvalidMessage("tenant: missing")
    return message


def _value(data: Mapping[str, Any]) -> bytes:
    try:
        value = orjson.dumps(data, option=_JSON_ONLY)
    except TypeError:
        raise InvalidMessage("data: holds a value that JSON does not have") from None
    if len(value) > MAX_VALUE_BYTES:
        raise InvalidMessage(f"data: {len(value)} bytes, more than {MAX_VALUE_BYTES}")
    return value


def _headers(message: Message, dataschema: str) -> tuple[tuple[str, bytes], ...]:
    texts = [
        ("ce_specversion", cloud_events.SPEC_VERSION),
        ("ce_id", checked_text("id", message.id)),
        ("ce_source", checked_text("source", message.source)),
        ("ce_type", message.type),
        ("ce_time", cloud_events.rfc3339(message.time)),
        ("ce_subject", checked_text("subject", message.subject)),
        ("ce_dataschema", dataschema),
    ]
    if message.seq is not None:
        texts.append(("ce_seq", str(checked_integer("seq", message.seq))))
    if message.attempt is not None:
        texts.append(("ce_attempt", str(checked_integer("attempt", message.attempt))))
    if message.correlation_id is not None:
        texts.append(("ce_correlationid", checked_text("correlationid", message.correlation_id)))
    if message.causation_id is not None:
        texts.append(("ce_causationid", checked_text("causationid", message.causation_id)))
    if message.tenant is not None:
        texts.append(("ce_tenant", checked_text("tenant", message.tenant)))
    if message.traceparent is not None and cloud_events.trace_context(message.traceparent) is not None:
        texts.append((cloud_events.TRACEPARENT, message.traceparent))
    texts.append((cloud_events.CONTENT_TYPE, cloud_events.JSON_CONTENT))
    try:
        headers = tuple([(name, text.encode()) for name, text in texts])
    except UnicodeEncodeError:
        raise InvalidMessage("attributes: not encodable as UTF-8") from None
    if sum([len(name) + len(value) for name, value in headers]) > MAX_HEADER_BYTES:
        raise InvalidMessage(f"attributes: more than {MAX_HEADER_BYTES} bytes")
    return headers


def _contract_of(attributes: Mapping[str, object]) -> Contract:
    if attributes.get("specversion") != cloud_events.SPEC_VERSION:
        raise InvalidMessage("specversion: missing or not 1.0")
    type_ = required_text(attributes, "type")
    found = contract(type_)
    if found is None:
        raise UnknownType(type_)
    return found


def _message(type_: str, attributes: Mapping[str, object], data: dict[str, Any]) -> Message:
    return Message(
        type=type_,
        source=required_text(attributes, "source"),
        subject=required_text(attributes, "subject"),
        tenant=optional_text(attributes, "tenant"),
        data=data,
        id=required_text(attributes, "id"),
        time=cloud_events.instant(required_text(attributes, "time")),
        seq=optional_integer(attributes, "seq"),
        attempt=optional_integer(attributes, "attempt"),
        correlation_id=optional_text(attributes, "correlationid"),
        causation_id=optional_text(attributes, "causationid"),
        traceparent=cloud_events.trace_context(attributes.get(cloud_events.TRACEPARENT)),
    )
