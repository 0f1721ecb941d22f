"""Successful replies."""

from typing import Any

import orjson

from gateway.entrypoints.http.exchange import Reply


def ok(content: dict[str, Any], *headers: tuple[bytes, bytes]) -> Reply:
    """Return 200 with a JSON object."""
    return Reply(200, orjson.dumps(content), headers)
