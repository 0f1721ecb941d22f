"""Query strings: how much of a thread is wanted, and from which end; which actions of a run."""

import re
from typing import Final, Literal
from urllib.parse import parse_qsl

from run_engine.domain.drafts import PageRequest

from gateway.entrypoints.http.entities.refusals import violation

MOST: Final = 1000
"""Objects in one list. The original had no limit."""
MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes of content above which a list ends early: what it says is held in memory until its client has read it."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


def page_request(query: bytes) -> PageRequest:
    """Return the part of a list that `limit` (20 where none is given) and `order` (asc) ask for. Raises `Refusal`."""
    given = parameters(query)
    return PageRequest(limit=_limit(given.get("limit")), order=_order(given.get("order")), most_bytes=MOST_BYTES)


def parameters(query: bytes) -> dict[str, str]:
    """Return the parameters of a query string that have a value; of a repeated one, the last."""
    return dict(parse_qsl(query.decode("latin-1")))


def _limit(text: str | None) -> int:
    if text is None:
        return 20
    place = ["query", "limit"]
    if not _INTEGER.fullmatch(text):
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise violation(place, message, "int_parsing")
    limit = int(text)
    if limit < 1:
        raise violation(place, "Input should be greater than or equal to 1", "greater_than_equal")
    if limit > MOST:
        raise violation(place, f"Input should be less than or equal to {MOST}", "less_than_equal")
    return limit


def _order(text: str | None) -> Literal["asc", "desc"]:
    match text:
        case None:
            return "asc"
        case "asc" | "desc":
            return text
        case _:
            raise violation(["query", "order"], "Input should be 'asc' or 'desc'", "literal_error")
