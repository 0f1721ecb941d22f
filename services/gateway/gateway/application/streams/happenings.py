"""From stored events to objects: what happened to a run, with the object as it was then. Pure. Used by `run_log`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from run_engine.domain.objects import Message, Run, RunStep, ToolCall, Usage
from run_engine.domain.status import MessageStatus, RunStatus, StepStatus

Snapshot: TypeAlias = Mapping[str, Any]
"""An object as events carry it: RFC 3339 times, and only what changes of a run."""


Subject: TypeAlias = Run | RunStep | Message | None
"""What an event is about, as it was then. None where this version knows no such event."""


class Happening(NamedTuple):
    """One event of a run."""

    seq: int
    name: str
    """The event without what it is about: queued, created, completed …"""
    subject: Subject


def happening(base: Run, seq: int, type_: str, data: Mapping[str, Any]) -> Happening:
    """Return the event `type_` of the run whose unchanging fields `base` has."""
    entity, _, name = type_.removeprefix("threadworks.").rpartition(".v")[0].partition(".")
    try:
        match entity:
            case "run":
                return Happening(seq, name, run_of(base, data["run"]))
            case "run-step":
                return Happening(seq, name, step_of(data["step"]))
            case "message":
                return Happening(seq, name, message_of(data["message"]))
    except ValueError:
        # A status that is newer than this code. The place in the order counts all the same.
        return Happening(seq, name, None)
    return Happening(seq, name, None)


def run_of(base: Run, snapshot: Snapshot) -> Run:
    """Return the run as of an event."""
    action = snapshot["required_action"]
    calls = action["submit_tool_outputs"]["tool_calls"] if action else ()
    return replace(
        base,
        status=RunStatus(snapshot["status"]),
        attempt=snapshot["attempt"],
        expires_at=_time(snapshot["expires_at"]),
        started_at=_time(snapshot["started_at"]),
        cancelled_at=_time(snapshot["cancelled_at"]),
        failed_at=_time(snapshot["failed_at"]),
        completed_at=_time(snapshot["completed_at"]),
        last_error=snapshot["last_error"],
        incomplete_details=snapshot["incomplete_details"],
        metadata=snapshot["metadata"],
        usage=_usage(snapshot["usage"]),
        required_calls=tuple(_call(call) for call in calls),
    )


def step_of(snapshot: Snapshot) -> RunStep:
    """Return the step as of an event."""
    details = snapshot["step_details"]
    return RunStep(
        id=snapshot["id"],
        run_id=snapshot["run_id"],
        thread_id=snapshot["thread_id"],
        assistant_id=snapshot["assistant_id"],
        created_at=datetime.fromisoformat(snapshot["created_at"]),
        type=snapshot["type"],
        status=StepStatus(snapshot["status"]),
        message_id=details.get("message_creation", {}).get("message_id"),
        tool_calls=tuple(_call(call) for call in details.get("tool_calls", ())),
        last_error=snapshot["last_error"],
        completed_at=_time(snapshot["completed_at"]),
        failed_at=_time(snapshot["failed_at"]),
        cancelled_at=_time(snapshot["cancelled_at"]),
        expired_at=_time(snapshot["expired_at"]),
        metadata={},
        usage=_usage(snapshot["usage"]),
    )


def message_of(snapshot: Snapshot) -> Message:
    """Return the message as of an event."""
    return Message(
        id=snapshot["id"],
        thread_id=snapshot["thread_id"],
        created_at=datetime.fromisoformat(snapshot["created_at"]),
        status=MessageStatus(snapshot["status"]),
        incomplete_details=snapshot["incomplete_details"],
        completed_at=_time(snapshot["completed_at"]),
        incomplete_at=_time(snapshot["incomplete_at"]),
        role=snapshot["role"],
        content=snapshot["content"],
        assistant_id=snapshot["assistant_id"],
        run_id=snapshot["run_id"],
        attachments=snapshot["attachments"],
        metadata=snapshot["metadata"],
    )


def _call(call: Snapshot) -> ToolCall:
    function = call["function"]
    return ToolCall(
        id=call["id"],
        name=function["name"],
        arguments=function["arguments"] or "",
        service=None,
        output=function.get("output"),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _usage(counted: Snapshot | None) -> Usage | None:
    if counted is None:
        return None
    return Usage(prompt_tokens=counted["prompt_tokens"], completion_tokens=counted["completion_tokens"])
