"""Thread objects."""

from collections.abc import Sequence
from typing import Any

from run_engine.domain.objects import Thread, User

from gateway.entrypoints.http.entities.ids import Shown
from gateway.entrypoints.http.entities.presenters import users
from gateway.entrypoints.http.entities.presenters.words import meta_data, seconds
from gateway.entrypoints.http.named_ids import Named


def ids_of_thread(found: Thread, participants: Sequence[User]) -> list[Named]:
    """Return the ids that a thread's object names."""
    return [("thread", found.id), *(named for each in participants for named in users.ids_of_user(each))]


def thread(found: Thread, participants: Sequence[User], ids: Shown) -> dict[str, Any]:
    """Return a thread with who takes part in it."""
    return {
        "id": ids.id("thread", found.id),
        "created_at": seconds(found.created_at),
        "meta_data": meta_data(found.metadata),
        "object": "thread",
        "tool_resources": found.tool_resources or {},
        "participants": [users.user(each, ids) for each in participants],
    }
