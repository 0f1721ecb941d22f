"""From bytes to a JSON object that can be stored. Pure."""

import orjson
import pytest
from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.requests.parsing import DEEPEST, load


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"[]", b" [ ] ", b"{}"])
def test_nothing_in_many_forms(body: bytes) -> None:
    assert load(body) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": "\x00"}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"'a'",
        b"{a: 1}",
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b"\x00\x01\x02",
    ],
)
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        load(body)
    assert caught.value.status == 400
    assert caught.value.message.startswith("We could not parse the JSON body of your request.")
    assert caught.value.param is None


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"null", "null"),
        (b"1", "an integer"),
        (b'"text"', "a string"),
        (b"[1]", "an array"),
        (b"true", "a boolean"),
        (b"1.5", "a decimal number"),
    ],
)
def test_what_is_no_object(body: bytes, what: str) -> None:
    with pytest.raises(Refusal) as caught:
        load(body)
    assert caught.value.message == f"Invalid type for the request body: expected an object, but got {what} instead."


def nested(levels: int) -> bytes:
    """An object with `levels` levels of containers in it, itself counted."""
    return b'{"a":' * levels + b"1" + b"}" * levels


def test_depth() -> None:
    assert load(nested(DEEPEST)) is not None
    with pytest.raises(Refusal) as caught:
        load(nested(DEEPEST + 1))
    assert caught.value.message == f"Invalid request body: it is nested deeper than {DEEPEST} levels."
    wide = orjson.dumps({"a": [[] for _ in range(1000)]})
    assert len(load(wide)["a"]) == 1000


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"content": "a\\u0000b"}', "content"),
        (b'{"messages": [{}, {"content": "\\u0000"}]}', "messages[1].content"),
        (b'{"metadata": {"a\\u0000": "b"}}', "metadata.a\x00"),
    ],
)
def test_a_character_that_postgresql_cannot_hold(body: bytes, param: str) -> None:
    with pytest.raises(Refusal) as caught:
        load(body)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, "invalid_value")


def test_an_escaped_backslash_before_u0000_is_fine() -> None:
    assert load(b'{"content": "\\\\u0000"}') == {"content": "\\u0000"}
