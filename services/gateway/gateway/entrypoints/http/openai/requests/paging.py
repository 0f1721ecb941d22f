"""Query strings of lists."""

import re
from typing import Final, Literal
from urllib.parse import parse_qsl

from run_engine.domain.drafts import PageRequest
from run_engine.errors import NotFound

from gateway.entrypoints.http.openai.refusals import Refusal, clip
from gateway.entrypoints.http.openai.requests.path_ids import is_id
from gateway.entrypoints.http.openai.requests.wording import choices

MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes of content above which a page ends early, as many as the largest request brings: a hundred of the longest
messages would hold up the loop for seconds, and the memory of a process for as long as its client reads."""

_DEFAULT: Final = PageRequest()
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
MOST: Final = 100
"""Objects on a page, unless a list says otherwise."""


def page_request(query: bytes, kind: str, *, otherwise: int = _DEFAULT.limit, most: int = MOST) -> PageRequest:
    """Return the page that a query string asks for; `kind` is what is listed. Other parameters are not looked at.

    `otherwise` is the limit where none is given, `most` the highest that is accepted.

    Raises `Refusal`, and `NotFound` for a cursor that cannot be the id of anything.
    """
    if not query:
        return PageRequest(limit=otherwise, most_bytes=MOST_BYTES)
    given = parameters(query)
    return PageRequest(
        limit=_limit(given.get("limit"), otherwise, most),
        order=_order(given.get("order")),
        after=_cursor(given.get("after"), kind),
        before=_cursor(given.get("before"), kind),
        most_bytes=MOST_BYTES,
    )


def parameters(query: bytes) -> dict[str, str]:
    """Return the parameters of a query string that have a value; of a repeated one, the last."""
    return dict(parse_qsl(query.decode("latin-1")))


def _limit(text: str | None, otherwise: int, most: int) -> int:
    if text is None:
        return otherwise
    if not _INTEGER.fullmatch(text):
        raise Refusal(
            400,
            "Invalid type for 'limit': expected an integer, but got a string instead.",
            param="limit",
            code="invalid_type",
        )
    limit = int(text)
    if limit < 1:
        message = f"Invalid 'limit': integer below minimum value. Expected a value >= 1, but got {limit} instead."
        raise Refusal(400, message, param="limit", code="integer_below_min_value")
    if limit > most:
        message = f"Invalid 'limit': integer above maximum value. Expected a value <= {most}, but got {limit} instead."
        raise Refusal(400, message, param="limit", code="integer_above_max_value")
    return limit


def _order(text: str | None) -> Literal["asc", "desc"]:
    match text:
        case None:
            return _DEFAULT.order
        case "asc" | "desc":
            return text
        case _:
            message = f"Invalid value: '{clip(text)}'. Supported values are: {choices(['asc', 'desc'], 'and')}."
            raise Refusal(400, message, param="order", code="invalid_value")


def _cursor(text: str | None, kind: str) -> str | None:
    if text is not None and not is_id(text):
        raise NotFound(kind, text)
    return text
