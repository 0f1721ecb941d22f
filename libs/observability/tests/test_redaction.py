"""Credentials are masked wherever they stand in an event, and nothing else is."""

from dataclasses import dataclass
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observability.redaction import MASK, masked_meanwhile, redact_event, redact_text, register_secret

KEY = "sk-proj-Q7x_secretsecret-wxyz"
MOODLE_TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"key {KEY} refused", "key sk-…wxyz refused"),
        ("short sk-abcdef", "short sk-…"),
        (f"POST /x?wstoken={MOODLE_TOKEN}&courseid=5", f"POST /x?wstoken={MASK}&courseid=5"),
        ("Authorization: Bearer abcdefgh", f"Authorization: {MASK}"),
        ("authorization: Basic dXNlcjpwYXNz", f"authorization: {MASK}"),
        ("sent bearer abcdefgh to it", f"sent bearer {MASK} to it"),
        ("{'token': 'two words', 'a': 1}", f"{{'token': {MASK}', 'a': 1}}"),
        (r"{\"wstoken\": \"two words\"}", rf"{{\"wstoken\": {MASK}" + '"}'),
        ("[(b'x-api-key', b'abc def')]", f"[(b'x-api-key', b{MASK}')]"),
        ("moodle_token=abc", f"moodle_token={MASK}"),
    ],
)
def test_text_that_holds_a_credential_is_masked(text: str, expected: str) -> None:
    assert redact_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "task-scheduler and disk-usage-report",
        "Moodle answered invalidtoken: Ungültiges Token",
        "prompt_tokens=12 total_tokens: 30",
        "tokens per second: 50",
        "the bearer of good news",
        "25.10.: 09–15 Uhr",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "name", ["Authorization", "wstoken", "token", "moodle_token", "api_key", "X-Api-Key", "password"]
)
def test_a_field_is_masked_by_its_name_at_every_depth(name: str) -> None:
    event = {name: "abc", "outer": [{"inner": {name: ["abc"]}}], "pair": (name.encode(), b"abc")}
    redacted = redact_event(None, "info", event)
    assert redacted == {name: MASK, "outer": [{"inner": {name: MASK}}], "pair": [name, MASK]}


def test_fields_that_merely_sound_alike_keep_their_values() -> None:
    event = {"prompt_tokens": 12, "tokens_per_second": 50.5, "cookies": True, "token_count": None}
    assert redact_event(None, "info", event) == event


def test_a_registered_value_is_masked_also_url_encoded() -> None:
    secret = "pa ss/wörd+1"
    register_secret(secret)
    assert redact_text(f"a {secret} b {quote(secret, safe='')} c") == f"a {MASK} b {MASK} c"
    assert redact_event(None, "info", {secret: [secret]}) == {MASK: [MASK]}


def test_a_registered_value_that_contains_another_is_masked_whole() -> None:
    register_secret("inner-registered")
    register_secret("inner-registered-and-more")
    assert redact_text("x inner-registered-and-more y") == f"x {MASK} y"


def test_a_value_too_short_to_be_a_secret_is_not_registered() -> None:
    register_secret("und")
    assert redact_text("hin und her") == "hin und her"


def test_objects_are_masked_in_their_text_form() -> None:
    @dataclass
    class Credentials:
        token: str

    redacted = redact_event(None, "info", {"raw": b"key=" + KEY.encode(), "object": Credentials("two words")})
    assert KEY not in repr(redacted)
    assert "two words" not in repr(redacted)


def test_a_reference_cycle_ends() -> None:
    cycle: dict[str, object] = {"key": KEY}
    cycle["again"] = cycle
    assert KEY not in repr(redact_event(None, "info", cycle))


nested = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.just(f"found {KEY} here"), st.binary()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=10), nested, max_size=4))
def test_no_shape_of_event_lets_a_key_through(event: dict[str, object]) -> None:
    assert KEY not in repr(redact_event(None, "info", event))


@given(st.text())
def test_redaction_of_redacted_text_changes_nothing_more(text: str) -> None:
    once = redact_text(text + f" {KEY} wstoken={MOODLE_TOKEN}")
    assert KEY not in once
    assert MOODLE_TOKEN not in once
    assert redact_text(once) == once


def test_a_secret_of_a_user_is_masked_as_long_as_anybody_works_with_it() -> None:
    with masked_meanwhile("b0rrowed/token"):
        with masked_meanwhile("b0rrowed/token"), masked_meanwhile("b0rrowed/token-longer"):
            assert redact_text("with b0rrowed/token-longer and b0rrowed%2Ftoken") == f"with {MASK} and {MASK}"
        assert redact_text("with b0rrowed/token") == f"with {MASK}"
    assert redact_text("with b0rrowed/token") == "with b0rrowed/token"


def test_short_words_are_not_masked_meanwhile() -> None:
    with masked_meanwhile("demo"):
        assert redact_text("the demo") == "the demo"


@pytest.mark.parametrize("name", ["X-Tool-Credential", "tool_credentials"])
def test_credentials_for_tools_are_masked_by_their_name(name: str) -> None:
    assert redact_event(None, "info", {name: "moodle=abc"}) == {name: MASK}
    assert redact_text(f"{name}: moodle=abc") == f"{name}: {MASK}"
