"""Message objects: content is a text, and tools speak too.

A message has no status here, and none is incomplete: an answer that was interrupted is an ordinary one, which was
completed when it was cut.
"""

from typing import Any

from run_engine.domain.objects import Message
from run_engine.domain.plain_text import plain_text
from run_engine.domain.status import MessageStatus

from gateway.entrypoints.http.entities.ids import PREFIXES, Shown, kind_of_said
from gateway.entrypoints.http.entities.presenters.words import meta_data, seconds
from gateway.entrypoints.http.named_ids import Named


def ids_of_message(found: Message) -> list[Named]:
    """Return the ids that a message's object names."""
    return [
        (kind_of_said(found), found.id),
        ("thread", found.thread_id),
        ("assistant", found.assistant_id),
        ("run", found.run_id),
        ("user", found.sender_id),
    ]


def message(found: Message, ids: Shown) -> dict[str, Any]:
    """Return a message."""
    return {
        "id": ids.id(kind_of_said(found), found.id, prefix=PREFIXES["message"]),
        "assistant_id": ids.optional("assistant", found.assistant_id),
        "attachments": found.attachments or [],
        "completed_at": _completed_at(found),
        "content": plain_text(found.content),
        "created_at": seconds(found.created_at),
        "incomplete_at": None,
        "incomplete_details": None,
        "meta_data": meta_data(found.metadata),
        "object": "message",
        "role": found.role,
        "run_id": ids.optional("run", found.run_id),
        "status": None,
        "thread_id": ids.id("thread", found.thread_id),
        # A user's message that came another way has no sender whom anybody knows.
        "sender_id": ids.optional("user", found.sender_id) or found.role,
    }


def formatted(found: Message) -> dict[str, Any]:
    """Return a message as chat completions take it, as far as the original did so."""
    return {"role": found.role, "content": plain_text(found.content)}


def _completed_at(found: Message) -> int | None:
    # Users' messages are there at once, and have none.
    if found.role == "user" or found.status is MessageStatus.IN_PROGRESS:
        return None
    return seconds(found.completed_at or found.incomplete_at or found.created_at)
