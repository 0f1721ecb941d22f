"""The base of the bodies of version 1: first they are checked, then they are translated. Used by `translation`."""

from typing import Any

from gateway.entrypoints.http.openai.requests.fields import Body


class Translated(Body):
    """A body of version 1."""

    @classmethod
    def as_version_2(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body of version 2 that means the same; `given` has been found to be one of this kind."""
        return given


def without(given: dict[str, Any], name: str) -> dict[str, Any]:
    """Return all but one field."""
    return {each: value for each, value in given.items() if each != name}


def replaced(given: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the body with other values for those of these fields that it gives, and that are not null."""
    return {**given, **{name: value for name, value in fields.items() if given.get(name) is not None}}
