"""Where a run asks for calls: in chat models that is part of a message, here it is a step of its own. Pure.

For dialects that show conversations as chat models have them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from run_engine.domain.objects import Json, RunStep, ToolCall
from run_engine.domain.status import StepStatus


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One reply of the model that asks for calls."""

    step: RunStep
    message_id: str | None
    """The message with what it said beside them, if anything."""


def call_requests(steps: Sequence[RunStep]) -> list[CallRequest]:
    """The requests for calls in a run's steps, oldest first: a message and the calls right after it are one reply."""
    found = []
    said: str | None = None
    for step in steps:
        if step.tool_calls and step.status is not StepStatus.FAILED:
            found.append(CallRequest(step, said))
        said = step.message_id if step.status is StepStatus.COMPLETED else None
    return found


def as_asked(calls: Sequence[ToolCall]) -> list[Json]:
    """Calls as an assistant's message asks for them: `{"id", "type", "function": {"name", "arguments"}}`."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
