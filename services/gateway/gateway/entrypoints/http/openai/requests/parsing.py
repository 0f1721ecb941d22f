"""From the bytes of a body to a request model. Called by the operations; raises `Refusal` for whatever is wrong."""

import re
from typing import Any, Final, TypeVar

import orjson
from pydantic import ValidationError

from gateway.entrypoints.http.exchange import Call
from gateway.entrypoints.http.json_values import DEEPEST, NUL, is_too_deep, path_to_nul
from gateway.entrypoints.http.openai.refusals import Refusal, clip
from gateway.entrypoints.http.openai.requests.fields import Body
from gateway.entrypoints.http.openai.requests.wording import member_path, refusal_of_violations, type_name

_JSON: Final = re.compile(rb"application/(?:[a-z0-9.+-]*\+)?json\s*(?:;|$)", re.IGNORECASE)

Request = TypeVar("Request", bound=Body)


async def parse(call: Call, kind: type[Request]) -> Request:
    """Read the body of `call` as a `kind`."""
    body = await call.body()
    if body:
        _require_json(call.headers.get(b"content-type"))
    value = load(body)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise refusal_of_violations(error) from None


def load(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds. No body at all and the empty array mean an empty object."""
    if not body or body.isspace():
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise unparsable(error) from None
    if value == []:
        return {}
    if not isinstance(value, dict):
        raise no_object(value)
    if body.count(b"{") + body.count(b"[") > DEEPEST:
        refuse_depth(value)
    if NUL in body:
        refuse_nul(value)
    return value


def unparsable(error: orjson.JSONDecodeError) -> Refusal:
    """Return the refusal of a body that is no JSON."""
    # What is wrong, without the place in the parser's words.
    reason = str(error).partition(":")[0]
    return Refusal(
        400,
        f"We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
        f"library correctly. The API expects a JSON payload; the parser says: {reason}, at character {error.pos}.)",
    )


def no_object(value: Any) -> Refusal:
    """Return the refusal of a body that is JSON, and no object."""
    message = f"Invalid type for the request body: expected an object, but got {type_name(value)} instead."
    return Refusal(400, message, code="invalid_type")


def _require_json(content_type: bytes | None) -> None:
    # A client that names no type at all means what the API takes.
    if content_type is not None and not _JSON.match(content_type.strip()):
        named = clip(content_type.decode("latin-1"))
        raise Refusal(
            400,
            f"Unsupported content type: '{named}'. This API method only accepts 'application/json' requests, but you "
            f"specified the header 'Content-Type: {named}'. Please try again with a supported content type.",
            code="unsupported_content_type",
        )


def refuse_depth(value: Any) -> None:
    """Raise `Refusal` for what is nested too deep to be stored."""
    if is_too_deep(value):
        raise Refusal(400, f"Invalid request body: it is nested deeper than {DEEPEST} levels.", code="invalid_value")


def refuse_nul(value: Any) -> None:
    """Raise `Refusal` for a text with U+0000 in it."""
    path = path_to_nul(value)
    if path is not None:
        name = member_path(path)
        raise Refusal(
            400,
            f"Invalid '{name}': the text contains the character U+0000, which cannot be stored.",
            param=name,
            code="invalid_value",
        )
