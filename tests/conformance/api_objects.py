"""Objects as OpenAI's API returns them, for the tests of imports."""

from typing import Any

BEGAN = 1_714_560_000


def assistant(**fields: Any) -> dict[str, Any]:
    return {
        "id": "asst_abc123",
        "object": "assistant",
        "created_at": BEGAN,
        "name": "Math Tutor",
        "description": None,
        "model": "gpt-4o",
        "instructions": "You are a personal math tutor.",
        "tools": [{"type": "code_interpreter"}, function("f")],
        "tool_resources": {"code_interpreter": {"file_ids": ["file-abc123"]}},
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "top_p": 1.0,
        "response_format": "auto",
        "reasoning_effort": None,
    } | fields


def function(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    return {"type": "function", "function": {"name": name, "parameters": parameters, "strict": False}}


def file(**fields: Any) -> dict[str, Any]:
    return {
        "id": "file-abc123",
        "object": "file",
        "bytes": 120_000,
        "created_at": BEGAN,
        "filename": "salesOverview.pdf",
        "purpose": "assistants",
        "status": "processed",
    } | fields


def thread(**fields: Any) -> dict[str, Any]:
    return {
        "id": "thread_abc123",
        "object": "thread",
        "created_at": BEGAN,
        "metadata": {},
        "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
    } | fields


def message(**fields: Any) -> dict[str, Any]:
    annotation = {
        "type": "file_citation",
        "text": "【0†source】",
        "start_index": 0,
        "end_index": 10,
        "file_citation": {"file_id": "file-abc123"},
    }
    return {
        "id": "msg_abc123",
        "object": "thread.message",
        "created_at": BEGAN,
        "thread_id": "thread_abc123",
        "status": "completed",
        "incomplete_details": None,
        "completed_at": BEGAN + 1,
        "incomplete_at": None,
        "role": "assistant",
        "content": [
            {"type": "text", "text": {"value": "How does AI work?", "annotations": [annotation]}},
            {"type": "image_file", "image_file": {"file_id": "file-abc123", "detail": "auto"}},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
            {"type": "refusal", "refusal": "I will not say."},
        ],
        "assistant_id": "asst_abc123",
        "run_id": "run_abc123",
        "attachments": [{"file_id": "file-abc123", "tools": [{"type": "file_search"}]}],
        "metadata": {"k": "v"},
    } | fields


def usage(**fields: Any) -> dict[str, Any]:
    return {
        "prompt_tokens": 123,
        "completion_tokens": 456,
        "total_tokens": 579,
        "prompt_token_details": {"cached_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 0},
    } | fields


def run(**fields: Any) -> dict[str, Any]:
    return {
        "id": "run_abc123",
        "object": "thread.run",
        "created_at": BEGAN,
        "thread_id": "thread_abc123",
        "assistant_id": "asst_abc123",
        "status": "completed",
        "required_action": None,
        "last_error": None,
        "expires_at": None,
        "started_at": BEGAN,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": BEGAN + 9,
        "incomplete_details": None,
        "model": "gpt-4o",
        "instructions": "Be brief.",
        "tools": [function("f")],
        "tool_resources": {},
        "metadata": {},
        "usage": usage(),
        "temperature": 1.0,
        "top_p": 1.0,
        "max_prompt_tokens": 1000,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "last_messages", "last_messages": 5},
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
    } | fields


def waiting(*call_ids: str, **fields: Any) -> dict[str, Any]:
    """A run that waits for outputs of these calls."""
    calls = [
        {"id": call_id, "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
        for call_id in call_ids or ("call_abc123",)
    ]
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
    return (
        run(status="requires_action", required_action=action, usage=None, completed_at=None, expires_at=BEGAN + 600)
        | fields
    )


def step(*calls: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A step with these calls, or with one of each kind."""
    return {
        "id": "step_abc123",
        "object": "thread.run.step",
        "created_at": BEGAN,
        "assistant_id": "asst_abc123",
        "thread_id": "thread_abc123",
        "run_id": "run_abc123",
        "type": "tool_calls",
        "status": "completed",
        "step_details": {"type": "tool_calls", "tool_calls": list(calls) or every_call()},
        "last_error": None,
        "expired_at": None,
        "expires_at": BEGAN + 600,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": BEGAN + 2,
        "metadata": {},
        "usage": usage(),
    } | fields


def function_call(call_id: str = "call_abc123", output: str | None = None) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": '{"x": 1}', "output": output}}


def every_call() -> list[dict[str, Any]]:
    return [
        {
            "id": "call_ci",
            "type": "code_interpreter",
            "code_interpreter": {
                "input": "print(1)",
                "outputs": [{"type": "logs", "logs": "1"}, {"type": "image", "image": {"file_id": "file-abc123"}}],
            },
        },
        function_call(output="6"),
        {
            "id": "call_fs",
            "type": "file_search",
            "file_search": {
                "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0},
                "results": [{"file_id": "file-abc123", "file_name": "a.pdf", "score": 0.5, "content": []}],
            },
        },
        function_call("call_2", output="7"),
    ]


def writing(message_id: str = "msg_abc123", **fields: Any) -> dict[str, Any]:
    """A step that wrote a message."""
    details = {"type": "message_creation", "message_creation": {"message_id": message_id}}
    return step(id="step_writing", type="message_creation", step_details=details) | fields


def everything() -> list[dict[str, Any]]:
    """One of each, in an order in which nothing comes after what it belongs to."""
    return [step(), writing(), message(), run(), thread(), file(), assistant()]
