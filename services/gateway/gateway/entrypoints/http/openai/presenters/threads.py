"""Thread objects."""

from typing import Any

from run_engine.domain.objects import Thread

from gateway.entrypoints.http.openai.presenters.words import seconds


def thread(found: Thread) -> dict[str, Any]:
    """Return a `thread`."""
    return {
        "id": found.id,
        "object": "thread",
        "created_at": seconds(found.created_at),
        "metadata": found.metadata,
        "tool_resources": found.tool_resources or {},
    }
