"""Objects as they come from elsewhere, for the tests of imports."""

from datetime import UTC, datetime, timedelta
from typing import Any

from run_engine.domain.files import File
from run_engine.domain.objects import Assistant, Message, Run, RunStep, Thread, ToolCall, Usage
from run_engine.domain.status import MessageStatus, RunStatus, StepStatus

BEGAN = datetime(2024, 5, 1, 12, tzinfo=UTC)


def assistant(**fields: Any) -> Assistant:
    return Assistant(
        **{
            "id": "asst_old",
            "created_at": BEGAN,
            "name": None,
            "description": None,
            "model": "demo",
            "instructions": None,
            "tools": [],
            "tool_resources": None,
            "metadata": {},
            "temperature": None,
            "top_p": None,
            "response_format": None,
            "reasoning_effort": None,
        }
        | fields
    )


def file(**fields: Any) -> File:
    return File(
        **{
            "id": "file-old",
            "created_at": BEGAN,
            "bytes": 120,
            "filename": "notes.txt",
            "purpose": "assistants",
            "status": "processed",
            "status_details": None,
            "expires_at": None,
            "storage_key": None,
        }
        | fields
    )


def thread(**fields: Any) -> Thread:
    return Thread(
        **{"id": "thread_old", "created_at": BEGAN, "metadata": {}, "tool_resources": None, "active_run": None} | fields
    )


def message(**fields: Any) -> Message:
    return Message(
        **{
            "id": "msg_old",
            "thread_id": "thread_old",
            "created_at": BEGAN,
            "status": MessageStatus.COMPLETED,
            "incomplete_details": None,
            "completed_at": None,
            "incomplete_at": None,
            "role": "user",
            "content": [{"type": "text", "text": {"value": "hello", "annotations": []}}],
            "assistant_id": None,
            "run_id": None,
            "attachments": None,
            "metadata": {},
        }
        | fields
    )


def run(**fields: Any) -> Run:
    status = fields.get("status", RunStatus.COMPLETED)
    return Run(
        **{
            "tenant_id": "nobody",
            "id": "run_old",
            "thread_id": "thread_old",
            "assistant_id": "asst_old",
            "created_at": BEGAN,
            "status": status,
            "attempt": 1,
            "seq": 0,
            "expires_at": None,
            "started_at": BEGAN,
            "cancelled_at": None,
            "failed_at": None,
            "completed_at": BEGAN + timedelta(seconds=5) if status is RunStatus.COMPLETED else None,
            "last_error": None,
            "incomplete_details": None,
            "model": "demo",
            "instructions": "Be brief.",
            "tools": [],
            "tool_resources": None,
            "metadata": {},
            "usage": Usage(prompt_tokens=20, completion_tokens=7) if status.ended else None,
            "temperature": None,
            "top_p": None,
            "max_prompt_tokens": None,
            "max_completion_tokens": None,
            "truncation_strategy": {"type": "auto", "last_messages": None},
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "response_format": "auto",
            "reasoning_effort": None,
        }
        | fields
    )


def waiting(*calls: ToolCall, **fields: Any) -> Run:
    """A run whose client has to answer these calls."""
    return run(status=RunStatus.REQUIRES_ACTION, required_calls=calls or (call(),), **fields)


def call(call_id: str = "call_old", output: str | None = None) -> ToolCall:
    return ToolCall(id=call_id, name="f", arguments='{"a": 1}', service=None, output=output)


def step(*calls: ToolCall, **fields: Any) -> RunStep:
    """A step that called functions."""
    return RunStep(
        **{
            "id": "step_old",
            "run_id": "run_old",
            "thread_id": "thread_old",
            "assistant_id": "asst_old",
            "created_at": BEGAN,
            "type": "tool_calls",
            "status": StepStatus.COMPLETED,
            "message_id": None,
            "tool_calls": calls,
            "last_error": None,
            "completed_at": BEGAN + timedelta(seconds=3),
            "failed_at": None,
            "cancelled_at": None,
            "expired_at": None,
            "metadata": {},
            "usage": Usage(prompt_tokens=10, completion_tokens=3),
        }
        | fields
    )
