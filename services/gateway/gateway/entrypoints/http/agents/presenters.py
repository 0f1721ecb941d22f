"""Threads, messages and pieces of answers as this dialect shows them."""

from datetime import UTC, datetime
from typing import Any

import orjson
from run_engine.domain.objects import Assistant, Message
from run_engine.domain.plain_text import plain_text
from run_engine.domain.sources import Source
from run_engine.store.overviews import ThreadOverview

from gateway.application.exchanges import Said
from gateway.entrypoints.http.agents.ids import Shown, tenant_shown, user_shown
from gateway.entrypoints.http.named_ids import Named


def iso(moment: datetime) -> str:
    """Return ISO 8601 in UTC, always with microseconds: `2025-03-15T09:13:02.654321Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def ids_of_thread(seen: ThreadOverview) -> list[Named]:
    """Return the ids that a thread's object names."""
    return [("thread", seen.thread.id), ("assistant", seen.thread.assistant_id)]


def thread(seen: ThreadOverview, tenant_id: str, ids: Shown) -> dict[str, Any]:
    """Return a thread."""
    return {
        "id": ids.id("thread", seen.thread.id),
        "assistant_id": ids.optional("assistant", seen.thread.assistant_id),
        "tenant_id": tenant_shown(tenant_id),
        "user_id": user_shown(seen.user_id),
        "title": seen.thread.title,
        "created_at": iso(seen.thread.created_at),
        "last_updated_at": iso(seen.last_said_at),
    }


def ids_of_said(said: Said) -> list[Named]:
    """Return the ids that a message's object names."""
    return [(said.kind, said.message.id), ("thread", said.message.thread_id), ("assistant", said.message.assistant_id)]


def message(said: Said, ids: Shown, assistant: Assistant | None = None) -> dict[str, Any]:
    """Return a message. `assistant` is the one that has written it, as far as it says something of its answers."""
    found = said.message
    shown: dict[str, Any] = {
        "id": ids.id(said.kind, found.id),
        "thread_id": ids.id("thread", found.thread_id),
        "role": found.role,
        "content": plain_text(found.content),
        "created_at": iso(found.created_at),
        "sources": [source(each) for each in said.sources],
        "meta_data": _meta_data(found, ids, assistant) if found.role == "assistant" else None,
    }
    if found.tool_calls:
        shown["tool_calls"] = found.tool_calls
    if found.tool_call_id is not None:
        shown["tool_call_id"] = found.tool_call_id
    return shown


def source(found: Source) -> dict[str, Any]:
    """Return one source of an answer."""
    return {
        "content": found.content,
        "meta_data": {"document_title": found.document_title, "section": found.section},
    }


def line(piece: str, message_id: str, thread_id: str, created_at: datetime, **more: Any) -> bytes:
    """Return one line of a stream. `more` belongs to the delta."""
    delta = {"content": piece, "role": "assistant", "sources": []} | more
    shown = {"created_at": iso(created_at), "delta": delta, "message_id": message_id, "thread_id": thread_id}
    return orjson.dumps(shown) + b"\n"


def _meta_data(found: Message, ids: Shown, assistant: Assistant | None) -> dict[str, Any]:
    # Nothing here classifies questions: what is known of them is what the app has said of message or assistant.
    said = {**(assistant.metadata if assistant is not None else {}), **found.metadata}
    return {
        "intent": said.get("intent", ""),
        "legal_advice": said.get("legal_advice") == "true",
        "type": said.get("type") or ids.optional("assistant", found.assistant_id),
    }
