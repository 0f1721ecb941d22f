"""A message as one JSON text: the structured mode of CloudEvents, for where there are no headers to put attributes in.

Used by the gateway, which sends events over HTTP so. `codec.decode` reads it back.
"""

from __future__ import annotations

from typing import Any

import orjson

from message_contracts import cloud_events
from message_contracts.errors import UnknownType
from message_contracts.message import Message
from message_contracts.schemas import contract


def structured(message: Message) -> bytes:
    """The event as `application/cloudevents+json`. Raises UnknownType for a type that is not in the contracts."""
    found = contract(message.type)
    if found is None:
        raise UnknownType(message.type)
    event: dict[str, Any] = {
        "specversion": cloud_events.SPEC_VERSION,
        "id": message.id,
        "source": message.source,
        "type": message.type,
        "time": cloud_events.rfc3339(message.time),
        "subject": message.subject,
        "dataschema": found.dataschema,
        "datacontenttype": cloud_events.JSON_CONTENT,
    }
    extensions = {
        "tenant": message.tenant,
        "seq": message.seq,
        "attempt": message.attempt,
        "correlationid": message.correlation_id,
        "causationid": message.causation_id,
        "traceparent": message.traceparent,
    }
    event |= {name: value for name, value in extensions.items() if value is not None}
    return orjson.dumps({**event, "data": message.data})
