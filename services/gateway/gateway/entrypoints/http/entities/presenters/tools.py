"""Tool objects."""

from typing import Any

from run_engine.domain.objects import Tool

from gateway.entrypoints.http.entities.ids import Shown
from gateway.entrypoints.http.named_ids import Named


def ids_of_tool(found: Tool) -> list[Named]:
    """Return the ids that a tool's object names."""
    return [("tool", found.id)]


def tool(found: Tool, ids: Shown) -> dict[str, Any]:
    """Return a tool.

    The original's clients read the definition of its function either from `function` or from `function.function`,
    depending on their week; it stands in both places.
    """
    return {
        "id": ids.id("tool", found.id),
        "type": "function",
        "name": found.name,
        "function": {**found.function, "function": found.function},
    }
