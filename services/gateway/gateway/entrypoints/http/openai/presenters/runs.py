"""Run objects."""

from collections.abc import Sequence
from typing import Any

from run_engine.domain.objects import Run, ToolCall
from run_engine.domain.status import RunStatus

from gateway.entrypoints.http.openai.presenters.usage import usage
from gateway.entrypoints.http.openai.presenters.words import seconds, shown_status

_TOKEN_LIMITS = ("max_completion_tokens", "max_prompt_tokens")


def run(found: Run) -> dict[str, Any]:
    """Return a `thread.run`. Instructions are a string always, as the schema has it; live replies had nulls."""
    waits_for_client = found.status is RunStatus.REQUIRES_ACTION
    return {
        "id": found.id,
        "object": "thread.run",
        "created_at": seconds(found.created_at),
        "thread_id": found.thread_id,
        "assistant_id": found.assistant_id,
        "status": shown_status(found.status),
        "required_action": required_action(found.required_calls) if waits_for_client else None,
        "last_error": found.last_error,
        "expires_at": seconds(found.expires_at),
        "started_at": seconds(found.started_at),
        "cancelled_at": seconds(found.cancelled_at),
        "failed_at": seconds(found.failed_at),
        "completed_at": seconds(found.completed_at),
        "incomplete_details": _incomplete_details(found),
        "model": found.model,
        "instructions": found.instructions or "",
        "tools": found.tools,
        "tool_resources": found.tool_resources or {},
        "metadata": found.metadata,
        "usage": usage(found.usage),
        "temperature": 1.0 if found.temperature is None else found.temperature,
        "top_p": 1.0 if found.top_p is None else found.top_p,
        "max_prompt_tokens": found.max_prompt_tokens,
        "max_completion_tokens": found.max_completion_tokens,
        "truncation_strategy": found.truncation_strategy,
        "tool_choice": found.tool_choice,
        "parallel_tool_calls": found.parallel_tool_calls,
        "response_format": found.response_format or "auto",
        "reasoning_effort": found.reasoning_effort,
    }


def required_action(calls: Sequence[ToolCall]) -> dict[str, Any]:
    """Return what the client has to do: answer these calls."""
    return {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in calls
            ]
        },
    }


def _incomplete_details(found: Run) -> dict[str, str] | None:
    # A run knows token limits only (SDKs with closed enums fail on anything else); what else cut an answer short, a
    # content filter, is told by its message.
    details = found.incomplete_details
    if details is None or details.get("reason") not in _TOKEN_LIMITS:
        return None
    return {"reason": details["reason"]}
