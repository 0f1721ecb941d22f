"""User objects."""

from typing import Any

from run_engine.domain.objects import User

from gateway.entrypoints.http.entities.ids import Shown
from gateway.entrypoints.http.entities.requests.users import NOBODY
from gateway.entrypoints.http.named_ids import Named


def ids_of_user(found: User) -> list[Named]:
    """Return the ids that a user's object names."""
    return [("user", found.id)]


def user(found: User, ids: Shown) -> dict[str, Any]:
    """Return a user. The name is a text always; users of other dialects may have none."""
    return {"id": ids.id("user", found.id), "name": NOBODY if found.name is None else found.name}
