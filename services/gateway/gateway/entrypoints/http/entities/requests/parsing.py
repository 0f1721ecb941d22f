"""From the bytes of a body to a request model. Called by the operations; raises `Refusal` (422) for what is wrong."""

import re
from typing import Any, Final, TypeVar

import orjson
from pydantic import ValidationError

from gateway.entrypoints.http.entities.refusals import Refusal, violation
from gateway.entrypoints.http.entities.requests.fields import Body
from gateway.entrypoints.http.exchange import Call
from gateway.entrypoints.http.json_values import DEEPEST, NUL, is_too_deep, path_to_nul

MOST_VIOLATIONS: Final = 20
"""Things that one reply names as wrong, at the most."""
LONGEST_NAME: Final = 64
"""Characters of the client's own names that a reply repeats, at the most."""

_JSON: Final = re.compile(rb"application/(?:[a-z0-9.+-]*\+)?json\s*(?:;|$)", re.IGNORECASE)

Request = TypeVar("Request", bound=Body)


async def parse(call: Call, kind: type[Request], *, optional: bool = False) -> Request:
    """Read the body of `call` as a `kind`. No body at all stands for an empty object where it is `optional`."""
    body = await call.body()
    if not body or body.isspace():
        if not optional:
            raise violation(["body"], "Field required", "missing")
        value: Any = {}
    else:
        value = _load(body, call.headers.get(b"content-type"))
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise Refusal(422, _violations(error)) from None


def _load(body: bytes, content_type: bytes | None) -> dict[str, Any]:
    # A client that names no type at all means what the API takes.
    if content_type is not None and not _JSON.match(content_type.strip()):
        raise _no_object()
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise violation(["body", error.pos], "JSON decode error", "json_invalid") from None
    if not isinstance(value, dict):
        raise _no_object()
    if body.count(b"{") + body.count(b"[") > DEEPEST and is_too_deep(value):
        raise violation(["body"], f"The body is nested deeper than {DEEPEST} levels")
    path = path_to_nul(value) if NUL in body else None
    if path is not None:
        raise violation(
            ["body", *map(_clipped, path)], "The text contains the character U+0000, which cannot be stored"
        )
    return value


def _no_object() -> Refusal:
    return violation(["body"], "Input should be a valid dictionary or object", "model_attributes_type")


def _violations(error: ValidationError) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_input=False, include_context=False)[:MOST_VIOLATIONS]
    return [
        {
            "loc": ["body", *map(_clipped, each["loc"])],
            "msg": each["msg"].removeprefix("Value error, "),
            "type": each["type"],
        }
        for each in found
    ]


def _clipped(name: str | int) -> str | int:
    return name[:LONGEST_NAME] if isinstance(name, str) else name
