"""Run step objects."""

from typing import Any

from run_engine.domain.objects import RunStep

from gateway.entrypoints.http.openai.presenters.usage import usage
from gateway.entrypoints.http.openai.presenters.words import seconds

_STEP_ERROR_CODES = ("server_error", "rate_limit_exceeded")


def step(found: RunStep) -> dict[str, Any]:
    """Return a `thread.run.step`, with `expired_at` as in the schema and `expires_at` as in OpenAI's examples."""
    return {
        "id": found.id,
        "object": "thread.run.step",
        "created_at": seconds(found.created_at),
        "assistant_id": found.assistant_id,
        "thread_id": found.thread_id,
        "run_id": found.run_id,
        "type": found.type,
        "status": found.status.value,
        "step_details": step_details(found),
        "last_error": _last_error(found),
        "expired_at": seconds(found.expired_at),
        "expires_at": seconds(found.expires_at),
        "cancelled_at": seconds(found.cancelled_at),
        "failed_at": seconds(found.failed_at),
        "completed_at": seconds(found.completed_at),
        "metadata": found.metadata,
        "usage": usage(found.usage),
    }


def step_details(found: RunStep) -> dict[str, Any]:
    """Return what the step did: a message it wrote, or calls with their answers as far as there are any."""
    if found.type == "message_creation":
        return {"type": "message_creation", "message_creation": {"message_id": found.message_id}}
    calls: list[Any] = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments, "output": call.output},
        }
        for call in found.tool_calls
    ]
    for place, call in found.other_calls:
        calls.insert(place, call)
    return {"type": "tool_calls", "tool_calls": calls}


def _last_error(found: RunStep) -> dict[str, str] | None:
    # Steps know fewer codes than runs; the message says what happened.
    error = found.last_error
    if error is None:
        return None
    code = error["code"] if error["code"] in _STEP_ERROR_CODES else "server_error"
    return {"code": code, "message": error["message"]}
