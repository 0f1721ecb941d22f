"""Assistant objects."""

from typing import Any

from run_engine.domain.objects import Assistant

from gateway.entrypoints.http.entities.ids import Shown
from gateway.entrypoints.http.entities.presenters.words import meta_data, seconds
from gateway.entrypoints.http.named_ids import Named


def ids_of_assistant(found: Assistant, user_id: str | None = None) -> list[Named]:
    """Return the ids that an assistant's object names."""
    return [("assistant", found.id), ("user", user_id)]


def assistant(found: Assistant, ids: Shown, user_id: str | None = None) -> dict[str, Any]:
    """Return an assistant. Several users may have it, so `user_id` is the one whom the request is about, if any."""
    chosen = found.response_format or "auto"
    return {
        "id": ids.id("assistant", found.id),
        "user_id": ids.optional("user", user_id),
        "object": "assistant",
        "created_at": seconds(found.created_at),
        "name": found.name or "",
        "description": found.description,
        "model": found.model,
        "instructions": found.instructions,
        "tools": found.tools,
        "meta_data": meta_data(found.metadata),
        "top_p": 1.0 if found.top_p is None else found.top_p,
        "temperature": 1.0 if found.temperature is None else found.temperature,
        "response_format": chosen if isinstance(chosen, str) else chosen["type"],
    }
