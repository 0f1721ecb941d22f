"""Model objects."""

from typing import Any

from gateway.application.ports import ServedModel


def model(found: ServedModel) -> dict[str, Any]:
    """Return a `model`."""
    return {"id": found.id, "object": "model", "created": found.created, "owned_by": found.owned_by}
