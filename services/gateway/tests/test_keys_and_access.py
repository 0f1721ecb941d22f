"""Who calls: headers, masks, and what is remembered of a key. Pure."""

import asyncio

import pytest
from gateway.application.authentication import KNOWN_FOR, UNKNOWN_FOR, Authentication
from gateway.entrypoints.http.openai.access import OpenAIDialect, bearer_key, masked
from gateway.entrypoints.http.openai.refusals import Refusal
from run_engine.store.tenants import Principal

ADA = Principal("key-1", "ada", frozenset({"all"}))


class Keys:
    """Knows one key, and counts how often it was asked."""

    def __init__(self) -> None:
        self.known = {"sk-ada": ADA}
        self.asked: list[str] = []

    async def authenticate(self, key: str) -> Principal | None:
        self.asked.append(key)
        return self.known.get(key)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (b"Bearer sk-ada", "sk-ada"),
        (b"bearer   sk-ada  ", "sk-ada"),
        (b"", None),
        (b"Bearer", None),
        (b"Bearer  ", None),
        (b"Basic c2stYWRh", None),
        (b"sk-ada", None),
        (b"Bearer \xff\xfe", "\xff\xfe"),
    ],
)
def test_bearer_keys(header: bytes, key: str | None) -> None:
    assert bearer_key(header) == key


@pytest.mark.parametrize(
    ("key", "shown"),
    [("sk-abcdefghijklmnop", "sk-…mnop"), ("abcdefghijklmnop", "…mnop"), ("sk-short", "sk-…"), ("x", "…")],
)
def test_masks(key: str, shown: str) -> None:
    assert masked(key) == shown


async def test_a_key_is_asked_for_once_in_a_while() -> None:
    keys, clock = Keys(), Clock()
    authentication = Authentication(keys, clock=clock)
    for _ in range(3):
        assert await authentication.principal("sk-ada") == ADA
    assert keys.asked == ["sk-ada"]
    clock.now += KNOWN_FOR - 0.1
    del keys.known["sk-ada"]
    assert await authentication.principal("sk-ada") == ADA, "a revoked key lives on for a moment"
    clock.now += 0.1
    assert await authentication.principal("sk-ada") is None


async def test_an_unknown_key_is_remembered_for_less() -> None:
    keys, clock = Keys(), Clock()
    authentication = Authentication(keys, clock=clock)
    for _ in range(3):
        assert await authentication.principal("sk-new") is None
    assert keys.asked == ["sk-new"]
    keys.known["sk-new"] = ADA
    clock.now += UNKNOWN_FOR
    assert await authentication.principal("sk-new") == ADA


async def test_only_so_many_keys_are_remembered_and_none_in_the_clear() -> None:
    keys = Keys()
    authentication = Authentication(keys, clock=Clock(), most=10)
    for number in range(1000):
        await authentication.principal(f"sk-guess-{number}")
    await authentication.principal("sk-guess-999")
    assert len(keys.asked) == 1000
    await authentication.principal("sk-guess-0")
    assert len(keys.asked) == 1001
    assert len(authentication._remembered) == 10
    assert "sk-guess" not in repr(authentication._remembered)


def refused(dialect: OpenAIDialect, **headers: str) -> Refusal:
    names = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    with pytest.raises(Refusal) as caught:
        asyncio.run(dialect.tenant_of(names))
    return caught.value


def test_refused_keys() -> None:
    dialect = OpenAIDialect(Authentication(Keys()), require_beta_header=False)
    none = refused(dialect)
    assert (none.status, none.code) == (401, None)
    assert none.message.startswith("You didn't provide an API key.")
    wrong = refused(dialect, authorization="Bearer sk-somebody-elses-1234")
    assert (wrong.status, wrong.code) == (401, "invalid_api_key")
    assert wrong.message == "Incorrect API key provided: sk-…1234."
    assert asyncio.run(dialect.tenant_of({b"authorization": b"Bearer sk-ada"})) == "ada"


@pytest.mark.parametrize(
    ("scopes", "enough"),
    [
        ({"all"}, True),
        ({"api"}, True),
        ({"events", "api"}, True),
        ({"events"}, False),
        ({"admin"}, False),
        (set(), False),
    ],
)
def test_a_key_opens_what_it_was_made_for(scopes: set[str], enough: bool) -> None:
    keys = Keys()
    keys.known["sk-scoped"] = Principal("key-2", "ada", frozenset(scopes))
    dialect = OpenAIDialect(Authentication(keys), require_beta_header=False)
    if enough:
        assert asyncio.run(dialect.tenant_of({b"authorization": b"Bearer sk-scoped"})) == "ada"
    else:
        error = refused(dialect, authorization="Bearer sk-scoped")
        assert (error.status, error.code) == (401, None)
        assert error.message == "You have insufficient permissions for this operation. Missing scopes: api."


def test_strict_mode_asks_for_the_beta_header() -> None:
    dialect = OpenAIDialect(Authentication(Keys()), require_beta_header=True)
    for beta in ({}, {"openai_beta": "assistants=v3"}, {"openai_beta": "realtime=v1"}):
        error = refused(dialect, authorization="Bearer sk-ada", **beta)
        assert (error.status, error.code) == (400, "invalid_beta")
        assert error.message == (
            "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try again by setting the "
            "header 'OpenAI-Beta: assistants=v2'."
        )
    assert refused(dialect, openai_beta="assistants=v2").status == 401, "the key comes first"
    for beta in (b"assistants=v1", b"assistants=v2", b"realtime=v1, assistants=v2"):
        headers = {b"authorization": b"Bearer sk-ada", b"openai-beta": beta}
        assert asyncio.run(dialect.tenant_of(headers)) == "ada"
