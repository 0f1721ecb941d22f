"""The messages of a tool service: calls as they come in, answers and announcements as they go out.

The only module that knows how the contracts look; `answering` and `announcing` work with its values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from event_bus import OutgoingRecord
from message_contracts import Message, catalogue, codec
from observability.trace_context import current_traceparent

from tool_service.errors import ToolError
from tool_service.function import ToolFunction

REQUESTED = "threadworks.tool-call.requested.v1"
COMPLETED = "threadworks.tool-call.completed.v1"
FAILED = "threadworks.tool-call.failed.v1"
ANNOUNCED = "threadworks.tool-service.announced.v1"

MAX_OUTPUT_BYTES = 512 * 1024
"""Longest output as UTF-8 (contract of tool-call.completed)."""

_ANSWERS = uuid5(NAMESPACE_URL, "urn:threadworks:tool-answers")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One tool-call.requested. `key` is what tells calls apart: models and imports may repeat the id alone."""

    tenant: str
    run_id: str
    thread_id: str
    call_id: str
    service: str
    function: str
    arguments: str
    deadline: datetime
    credentials: str | None = field(repr=False)
    """The user's own, sealed."""
    event_id: str
    traceparent: str | None

    @property
    def key(self) -> tuple[str, str, str]:
        """(tenant, run, call)."""
        return self.tenant, self.run_id, self.call_id


def read_call(message: Message) -> ToolCall:
    """Read a validated tool-call.requested."""
    call = message.data["tool_call"]
    if message.tenant is None:
        raise ValueError("a tool call without a tenant")
    return ToolCall(
        tenant=message.tenant,
        run_id=call["run_id"],
        thread_id=call["thread_id"],
        call_id=call["id"],
        service=call["service"],
        function=call["name"],
        arguments=call["arguments"],
        deadline=datetime.fromisoformat(call["deadline"]),
        credentials=call.get("credentials"),
        event_id=message.id,
        traceparent=message.traceparent,
    )


def completed(call: ToolCall, output: str, now: datetime) -> OutgoingRecord:
    """Write the answer of a call. Raises InvalidMessage if it does not fit into a record."""
    return _answer(COMPLETED, call, {"output": output}, now)


def failed(call: ToolCall, error: ToolError, now: datetime) -> OutgoingRecord:
    """Write the failure of a call. Raises InvalidMessage for an error without code or message."""
    return _answer(FAILED, call, {"error": {"code": error.code, "message": error.message}}, now)


def _answer(type_: str, call: ToolCall, content: dict[str, Any], now: datetime) -> OutgoingRecord:
    reference = {"id": call.call_id, "run_id": call.run_id, "thread_id": call.thread_id, "service": call.service}
    message = Message(
        type=type_,
        source=_source(call.service),
        subject=call.call_id,
        tenant=call.tenant,
        data={"tool_call": reference, **content},
        # The same for every answer of this call, so that an answer given twice can be seen as a repeat.
        id=str(uuid5(_ANSWERS, "\n".join(call.key))),
        time=now,
        correlation_id=call.run_id,
        causation_id=call.event_id,
        traceparent=current_traceparent() or call.traceparent,
    )
    return _record(message, call.thread_id)


def announcement(
    service: str, functions: Iterable[ToolFunction], now: datetime, public_key: str | None = None
) -> OutgoingRecord:
    """Write what a service answers, and the key that credentials for it are sealed with."""
    announced = [
        {
            "name": function.name,
            "description": function.description,
            "parameters": function.parameters,
            "timeout_seconds": function.timeout,
        }
        for function in functions
    ]
    message = Message(
        type=ANNOUNCED,
        source=_source(service),
        subject=service,
        tenant=None,
        data={"service": {"name": service, "functions": announced, "public_key": public_key}},
        id=str(uuid4()),
        time=now,
    )
    return _record(message, service)


def _source(service: str) -> str:
    return f"/threadworks/tool-services/{service}"


def _record(message: Message, key: str) -> OutgoingRecord:
    encoded = codec.encode(message)
    topic = catalogue.topic_of(message.type)
    return OutgoingRecord(topic=topic, key=key.encode(), value=encoded.value, headers=encoded.headers)
