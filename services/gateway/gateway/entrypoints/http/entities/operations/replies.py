"""Successful replies."""

from typing import Any, Final

import orjson

from gateway.entrypoints.http.exchange import Reply

NO_CONTENT: Final = Reply(204, b"")
"""The reply to what deletes something."""


def ok(content: dict[str, Any] | list[dict[str, Any]]) -> Reply:
    """Return 200 with a JSON object, or with a bare array."""
    return Reply(200, orjson.dumps(content))
