"""From what the engine has committed to what the contracts say: outbox rows become messages with a topic and a key.

An event carries its subject as of its `seq`. Text that is too long for an event goes by reference: the reader fetches
it from the gateway with a key of the tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from message_contracts import Message, catalogue

from run_engine.outbox.rows import OutboxRow
from run_engine.process_names import event_source

EventContent = Literal["inline", "reference"]
"""Whether public events carry text, or always a reference to it (data protection)."""

INLINE_LIMIT: Final = 65_536
"""Bytes of text that a public event carries at the most."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """A message with the place it is published to."""

    message: Message
    topic: str
    key: bytes


def address(row: OutboxRow, content: EventContent) -> Addressed:
    """The message of one outbox row. Tool calls carry their arguments whatever `content` says: services need them."""
    tool_call = row.data.get("tool_call")
    if tool_call is not None:
        return Addressed(
            _message(row, row.data), catalogue.topic_of(row.type, service=tool_call["service"]), row.subject.encode()
        )
    data = {name: _public(name, value, content) for name, value in row.data.items()}
    return Addressed(_message(row, data), catalogue.topic_of(row.type), row.thread_id.encode())


def _message(row: OutboxRow, data: dict[str, Any]) -> Message:
    return Message(
        id=str(row.event_id),
        source=event_source(row.producer),
        type=row.type,
        subject=row.subject,
        tenant=row.tenant_id,
        time=row.created_at,
        data=data,
        seq=row.seq,
        attempt=row.attempt,
        correlation_id=row.run_id,
        traceparent=row.traceparent,
    )


def _public(name: str, value: Mapping[str, Any], content: EventContent) -> Mapping[str, Any]:
    if name == "message" and _goes_by_reference(value["content"], content):
        url = f"/v1/threads/{value['thread_id']}/messages/{value['id']}"
        return {**value, "content": None, "content_url": url}
    if name == "step" and value["type"] == "tool_calls" and _goes_by_reference(value["step_details"], content):
        url = f"/v1/threads/{value['thread_id']}/runs/{value['run_id']}/steps/{value['id']}"
        return {**value, "step_details": None, "step_details_url": url}
    if name == "run" and _goes_by_reference(value.get("required_action"), content):
        return {**value, "required_action": _without_arguments(value["required_action"])}
    return value


def _goes_by_reference(text: Any, content: EventContent) -> bool:
    if text is None:
        return False
    return content == "reference" or len(orjson.dumps(text)) > INLINE_LIMIT


def _without_arguments(required_action: Any) -> Any:
    calls = [
        {**call, "function": {**call["function"], "arguments": None}}
        for call in required_action["submit_tool_outputs"]["tool_calls"]
    ]
    return {**required_action, "submit_tool_outputs": {"tool_calls": calls}}
