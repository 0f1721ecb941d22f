"""Message objects."""

from typing import Any

from run_engine.domain.objects import Message

from gateway.entrypoints.http.openai.presenters.words import seconds


def message(found: Message) -> dict[str, Any]:
    """Return a `thread.message`. Its content is stored as the API shows it."""
    return {
        "id": found.id,
        "object": "thread.message",
        "created_at": seconds(found.created_at),
        "thread_id": found.thread_id,
        "status": found.status.value,
        "incomplete_details": found.incomplete_details,
        "completed_at": seconds(found.completed_at),
        "incomplete_at": seconds(found.incomplete_at),
        "role": found.role,
        "content": found.content,
        "assistant_id": found.assistant_id,
        "run_id": found.run_id,
        "attachments": found.attachments or [],
        "metadata": found.metadata,
    }
