"""What clients of `/api` are shown."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from run_engine.domain.objects import Message, Run, ToolCall
from run_engine.domain.plain_text import plain_text
from run_engine.domain.status import PARKED, RunStatus

from gateway.entrypoints.http.exchange import Reply
from gateway.entrypoints.http.owlie.encrypted_ids import EncryptedIds

HIDDEN: Final = {"type": "hidden"}
"""Metadata of messages that a front end does not show."""


def ok(content: dict[str, Any]) -> Reply:
    """Return 200 with a JSON object."""
    return Reply(200, orjson.dumps(content))


def run_status(ids: EncryptedIds, run: Run, open_calls: Sequence[ToolCall] = ()) -> dict[str, Any]:
    """Return a RunStatus. A run that waits for tool services shows the calls that they work on, as the original did."""
    status = run.status
    if status in PARKED:
        status = RunStatus.REQUIRES_ACTION if open_calls else RunStatus.IN_PROGRESS
    return {
        "run_id": run.id,
        "thread_id": ids.token("thread", run.thread_id),
        "status": status.value,
        "required_action": _required_action(open_calls) if open_calls else None,
        "last_error": run.last_error,
    }


def message(found: Message) -> dict[str, Any]:
    """Return a message; its content is the plain text of its parts."""
    return {
        "content": plain_text(found.content),
        "role": found.role,
        "hidden": HIDDEN.items() <= found.metadata.items(),
        "id": found.id,
        "created_at": int(found.created_at.timestamp()),
    }


def _required_action(calls: Sequence[ToolCall]) -> dict[str, Any]:
    shown = [
        {"id": call.id, "function": {"arguments": call.arguments, "name": call.name}, "type": "function"}
        for call in calls
    ]
    return {"submit_tool_outputs": {"tool_calls": shown}, "type": "submit_tool_outputs"}
