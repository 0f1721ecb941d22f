"""Assistant objects."""

from typing import Any

from run_engine.domain.objects import Assistant

from gateway.entrypoints.http.openai.presenters.words import seconds


def assistant(found: Assistant) -> dict[str, Any]:
    """Return an `assistant`. Sampling that was never set is shown as the API's default."""
    return {
        "id": found.id,
        "object": "assistant",
        "created_at": seconds(found.created_at),
        "name": found.name,
        "description": found.description,
        "model": found.model,
        "instructions": found.instructions,
        "tools": found.tools,
        "tool_resources": found.tool_resources or {},
        "metadata": found.metadata,
        "temperature": 1.0 if found.temperature is None else found.temperature,
        "top_p": 1.0 if found.top_p is None else found.top_p,
        "response_format": found.response_format or "auto",
        "reasoning_effort": found.reasoning_effort,
    }
