"""What a body of any dialect may hold: nothing that could not be stored and written again. Pure; used by parsers."""

from collections.abc import Iterable
from typing import Any, Final

DEEPEST: Final = 100
"""Levels of nesting that a body may have. No field of an API needs ten; a schema for a function may need some more,
and what is stored has to be written as JSON again."""

NUL: Final = rb"\u0000"
"""A body without these bytes has no such character."""

_CONTAINERS: Final = (dict, list)


def is_too_deep(value: Any) -> bool:
    """Whether a value is nested deeper than `DEEPEST` levels."""
    # Empty containers are passed over: there may be millions, and one level more or less is no matter.
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _members(outer) if inner and isinstance(inner, _CONTAINERS)]
        if not level:
            return False
    return True


def path_to_nul(value: Any) -> tuple[str | int, ...] | None:
    """Return the path to a text with U+0000 in it, if there is one. PostgreSQL's texts hold every character but this.

    Recursive, and so to be asked after `is_too_deep`.
    """
    # A path is only built on the way back from what was found.
    if isinstance(value, str):
        return () if "\x00" in value else None
    pairs: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        named = next((key for key in value if "\x00" in key), None)
        if named is not None:
            return (named,)
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for place, inner in pairs:
        found = path_to_nul(inner)
        if found is not None:
            return (place, *found)
    return None


def _members(container: Any) -> Any:
    return container.values() if isinstance(container, dict) else container
