"""Query strings of lists, and ids in paths. Pure."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.requests.paging import MOST_BYTES, page_request
from gateway.entrypoints.http.openai.requests.path_ids import is_id, known_form
from run_engine.domain.drafts import PageRequest
from run_engine.errors import NotFound


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", PageRequest()),
        (b"limit=1", PageRequest(limit=1)),
        (b"limit=100&order=asc", PageRequest(limit=100, order="asc")),
        (b"limit=3&limit=5", PageRequest(limit=5)),
        (b"after=msg_1&before=msg_2", PageRequest(after="msg_1", before="msg_2")),
        (b"after=&limit=&order=", PageRequest()),
        (b"something=else&include%5B%5D=x", PageRequest()),
    ],
)
def test_pages(query: bytes, expected: PageRequest) -> None:
    assert page_request(query, "message") == replace(expected, most_bytes=MOST_BYTES)


@pytest.mark.parametrize(
    ("query", "message", "code"),
    [
        (
            b"limit=0",
            "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
            "integer_below_min_value",
        ),
        (
            b"limit=-5",
            "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got -5 instead.",
            "integer_below_min_value",
        ),
        (
            b"limit=101",
            "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
            "integer_above_max_value",
        ),
        *[
            (
                f"limit={quote(text)}".encode(),
                "Invalid type for 'limit': expected an integer, but got a string instead.",
                "invalid_type",
            )
            for text in ("abc", "1.5", "1e2", " 5", "٣", "9" * 5000, "\x00", "5\n")
        ],
        (b"order=up", "Invalid value: 'up'. Supported values are: 'asc' and 'desc'.", "invalid_value"),
    ],
)
def test_refused_pages(query: bytes, message: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        page_request(query, "message")
    assert (caught.value.status, caught.value.message, caught.value.code) == (400, message, code)


@pytest.mark.parametrize("text", ["thread_abc", "a", "x" * 64, "A-b_9"])
def test_ids(text: str) -> None:
    assert is_id(text)
    assert known_form("thread", text) == text


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "a\x00", "a'", "ä", "a\n", "../a", "%00", "\ud800"])
def test_what_can_be_no_id_is_an_unknown_one(text: Any) -> None:
    with pytest.raises(NotFound) as caught:
        known_form("thread", text)
    assert (caught.value.kind, caught.value.object_id) == ("thread", text)
    if text:
        with pytest.raises(NotFound):
            page_request(f"after={quote(text, errors='surrogatepass')}".encode(), "message")
