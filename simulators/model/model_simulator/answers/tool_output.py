"""Reads what a tool service answered: text, JSON, or an error it reports."""

from collections.abc import Iterator
from typing import Any

import orjson


def error_in(output: str) -> str | None:
    """Return the reason when the output is `{"error": {"code", "message"}}` or `{"error": "text"}`, else None."""
    content = _json(output)
    if not isinstance(content, dict) or not content.get("error"):
        return None
    error = content["error"]
    if not isinstance(error, dict):
        return str(error)
    message, code = error.get("message"), error.get("code")
    if message and code:
        return f"{message} ({code})"
    return str(message or code or orjson.dumps(error).decode())


def lines_of(output: str) -> list[str]:
    """Return the lines of a text, or of all strings in a JSON document."""
    content = _json(output)
    texts = [output] if content is None else list(_strings(content))
    return [line for text in texts for line in text.splitlines()]


def _json(output: str) -> Any:
    if output.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(output)
    except orjson.JSONDecodeError:
        return None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
