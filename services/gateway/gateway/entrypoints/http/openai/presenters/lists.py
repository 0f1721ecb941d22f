"""Pages of lists and deleted objects, the same for all resources."""

from collections.abc import Callable
from typing import Any, TypeVar

from run_engine.domain.drafts import Page

Item = TypeVar("Item")


def page(found: Page[Item], present: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    """Return a list object. The ids of an empty page are null."""
    data = [present(item) for item in found.items]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": found.has_more,
    }


def deleted(kind: str, object_id: str) -> dict[str, Any]:
    """Return what a DELETE replies; `kind` is the object's own word, as `thread`."""
    return {"id": object_id, "object": f"{kind}.deleted", "deleted": True}
