"""From rows to the objects of the domain. Columns carry the names of the fields."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from run_engine.domain.objects import Assistant, Message, Run, RunStep, Thread, Tool, ToolCall, Usage, User
from run_engine.domain.status import MessageStatus, RunStatus, StepStatus
from run_engine.store.database import Row


def _plain(kind: type[Any], *special: str) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in special)


_ASSISTANT: Final = _plain(Assistant)
_THREAD: Final = _plain(Thread, "participants")
_USER: Final = _plain(User, "assistant_ids")
_TOOL: Final = _plain(Tool)
_MESSAGE: Final = _plain(Message, "status")
_MESSAGE_TIMES: Final = ("created_at", "completed_at", "incomplete_at")
_OF_A_CLAIM: Final = ("claim_event", "queued_seconds", "traceparent", "newest_messages")
_RUN: Final = _plain(Run, "status", "usage", "required_calls", "stream_slots", *_OF_A_CLAIM)
_STEP: Final = _plain(RunStep, "status", "usage", "tool_calls", "other_calls")


def assistant(row: Row) -> Assistant:
    """An assistant from a row of `assistants`."""
    return Assistant(**{name: row[name] for name in _ASSISTANT})


def thread(row: Row) -> Thread:
    """A thread from a row of `threads`."""
    return Thread(**{name: row[name] for name in _THREAD})


def user(row: Row) -> User:
    """A user from a row of `users`."""
    return User(**{name: row[name] for name in _USER})


def tool(row: Row) -> Tool:
    """A tool from a row of `tools`."""
    return Tool(**{name: row[name] for name in _TOOL})


def message(row: Row) -> Message:
    """A message from a row of `messages`."""
    return Message(status=MessageStatus(row["status"]), **{name: row[name] for name in _MESSAGE})


def message_in_json(row: Row) -> Message:
    """A message from a row of `messages` that came as JSON with another row."""
    times = {name: None if row[name] is None else datetime.fromisoformat(row[name]) for name in _MESSAGE_TIMES}
    return message({**row, **times})


def run(row: Row, required_calls: Sequence[Any] | None = None) -> Run:
    """A run from a row of `runs`; `required_calls` as the statement returned them. Usage only once it has ended."""
    status = RunStatus(row["status"])
    counted = status.ended and not row["usage_unknown"]
    return Run(
        status=status,
        usage=_usage(row) if counted else None,
        required_calls=tuple(tool_call(call) for call in required_calls or ()),
        stream_slots=frozenset(row["stream_slots"]),
        **{name: row[name] for name in _RUN},
    )


def step(row: Row) -> RunStep:
    """A step from a row of `run_steps` with its `calls`."""
    status = StepStatus(row["status"])
    counted = row["prompt_tokens"] is not None and status is not StepStatus.IN_PROGRESS
    return RunStep(
        status=status,
        usage=_usage(row) if counted else None,
        tool_calls=tuple(tool_call(call) for call in row["calls"] or ()),
        other_calls=tuple((place, call) for place, call in row["other_calls"] or ()),
        **{name: row[name] for name in _STEP},
    )


def _usage(row: Row) -> Usage:
    return Usage(
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        details=row["usage_details"] or {},
    )


def tool_call(call: Any) -> ToolCall:
    """A call from a row of `tool_calls`, or from the JSON of one that came with its step or run."""
    return ToolCall(
        id=call["id"],
        name=call["name"],
        arguments=call["arguments"],
        service=call.get("service"),
        output=call.get("output"),
    )
