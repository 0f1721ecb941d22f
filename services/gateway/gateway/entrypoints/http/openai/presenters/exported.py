"""Objects as exports write them: as the API shows them, with what only other dialects know of them where there is any.

So what was never used by another dialect is exported as OpenAI's API would have returned it.
"""

from typing import Any

from run_engine.domain.objects import Message, Thread, Tool, User

from gateway.entrypoints.http.openai.presenters import messages, threads
from gateway.entrypoints.http.openai.presenters.words import seconds


def thread(found: Thread) -> dict[str, Any]:
    """Return a `thread` with its title, default assistant and participants."""
    more = {
        "title": found.title,
        "assistant_id": found.assistant_id,
        "participants": list(found.participants or ()) or None,
    }
    return threads.thread(found) | _set(more)


def message(found: Message) -> dict[str, Any]:
    """Return a `thread.message` with its sender, and with what it says of calls of tools."""
    more = {"sender_id": found.sender_id, "tool_calls": found.tool_calls, "tool_call_id": found.tool_call_id}
    return messages.message(found) | _set(more)


def user(found: User) -> dict[str, Any]:
    """Return a `user` with the ids of their assistants."""
    return {
        "id": found.id,
        "object": "user",
        "created_at": seconds(found.created_at),
        "name": found.name,
        "metadata": found.metadata,
    } | _set({"assistant_ids": list(found.assistant_ids or ()) or None})


def tool(found: Tool) -> dict[str, Any]:
    """Return a `tool`."""
    return {
        "id": found.id,
        "object": "tool",
        "created_at": seconds(found.created_at),
        "name": found.name,
        "function": found.function,
    }


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
