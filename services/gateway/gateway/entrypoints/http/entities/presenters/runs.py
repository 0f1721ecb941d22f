"""Run objects."""

from typing import Any

from run_engine.domain.objects import Json, Run
from run_engine.domain.status import RunStatus

from gateway.entrypoints.http.entities.ids import Shown
from gateway.entrypoints.http.entities.presenters.words import meta_data, run_status, seconds
from gateway.entrypoints.http.named_ids import Named


def ids_of_run(found: Run) -> list[Named]:
    """Return the ids that a run's object names."""
    return [("run", found.id), ("thread", found.thread_id), ("assistant", found.assistant_id)]


def run(found: Run, ids: Shown) -> dict[str, Any]:
    """Return a run. Error, required action, format and tool choice are texts in the original, so they are here."""
    error = found.last_error
    return {
        "id": ids.id("run", found.id),
        "assistant_id": ids.id("assistant", found.assistant_id),
        "cancelled_at": seconds(found.cancelled_at),
        "completed_at": seconds(found.completed_at),
        "created_at": seconds(found.created_at),
        "expires_at": seconds(found.expires_at or found.completed_at),
        "failed_at": seconds(found.failed_at),
        "incomplete_details": found.incomplete_details,
        "instructions": found.instructions or "",
        "last_error": None if error is None else f"{error['code']}: {error['message']}",
        "max_completion_tokens": found.max_completion_tokens,
        "max_prompt_tokens": found.max_prompt_tokens,
        "meta_data": meta_data(found.metadata),
        "model": found.model,
        "object": "run",
        "parallel_tool_calls": found.parallel_tool_calls,
        "required_action": "submit_tool_outputs" if found.status is RunStatus.REQUIRES_ACTION else None,
        "response_format": _word(found.response_format or "auto"),
        "started_at": seconds(found.started_at),
        "status": run_status(found.status),
        "thread_id": ids.id("thread", found.thread_id),
        "tool_choice": _word(found.tool_choice),
        "tools": found.tools,
        "truncation_strategy": found.truncation_strategy,
        "usage": _usage(found),
        "temperature": 1.0 if found.temperature is None else found.temperature,
        "top_p": 1.0 if found.top_p is None else found.top_p,
        "tool_resources": found.tool_resources or {},
    }


def _word(choice: Json) -> str:
    return choice if isinstance(choice, str) else str(choice["type"])


def _usage(found: Run) -> dict[str, int] | None:
    counted = found.usage
    if counted is None:
        return None
    return {
        "prompt_tokens": counted.prompt_tokens,
        "completion_tokens": counted.completion_tokens,
        "total_tokens": counted.total_tokens,
    }
