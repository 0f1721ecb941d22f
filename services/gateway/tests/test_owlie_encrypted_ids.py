"""Encrypted ids: what is encrypted comes back, whatever else is shown stands for nothing, and keys are retired."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from gateway.entrypoints.http.owlie.encrypted_ids import EncryptedIds, Kind, UnknownToken
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

KEY, OLD, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))
IDS = EncryptedIds([KEY])
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
kinds = st.sampled_from(["thread", "assistant"])
bodies = st.text(alphabet=ALPHABET, min_size=1, max_size=50)
object_ids = bodies | bodies.map("thread_{}".format) | bodies.map("asst_{}".format)


def unknown(ids: EncryptedIds, kind: Kind, token: str) -> None:
    with pytest.raises(UnknownToken) as refused:
        ids.id_of(kind, token)
    assert len(token) < 10 or token not in str(refused.value)


@given(kind=kinds, object_id=object_ids)
def test_an_id_comes_back_and_is_of_its_kind_alone(kind: Kind, object_id: str) -> None:
    token = IDS.token(kind, object_id)
    assert len(object_id) < 10 or object_id not in token
    assert IDS.id_of(kind, token) == object_id
    unknown(IDS, "assistant" if kind == "thread" else "thread", token)


@given(kind=kinds, object_id=object_ids, place=st.integers(0, 139), other=st.sampled_from(ALPHABET))
def test_a_token_that_was_touched_stands_for_nothing(kind: Kind, object_id: str, place: int, other: str) -> None:
    token = IDS.token(kind, object_id)
    body = token.rstrip("=")
    # The last character holds bits that nothing depends on.
    place = place % (len(body) - 1)
    touched = body[:place] + other + body[place + 1 :] + token[len(body) :]
    if touched != token:
        unknown(IDS, kind, touched)
    for cut in (token[:-5], token[1:], token + "A", token + "====", f" {token}", f"{token}\n"):
        unknown(IDS, kind, cut)


@given(kind=kinds, token=st.text(max_size=200) | object_ids | st.binary(max_size=90).map(lambda raw: raw.hex()))
def test_whatever_is_shown_is_known_or_is_not(kind: Kind, token: str) -> None:
    unknown(IDS, kind, token)


@given(kind=kinds, shown=st.binary(max_size=90))
def test_what_was_encrypted_elsewhere_with_our_key_has_to_be_an_id(kind: Kind, shown: bytes) -> None:
    token = Fernet(KEY).encrypt(shown).decode()
    try:
        found = IDS.id_of(kind, token)
    except UnknownToken:
        return
    assert set(found) <= set(ALPHABET)
    assert len(found) <= 64


def test_tokens_of_the_original_are_good() -> None:
    """It encrypted the ids as they were."""
    for kind, object_id in (
        ("thread", "thread_9fwl8WPTti77Tk1QxhLLvaRq"),
        ("assistant", "asst_ITEK83NLc8Uigo2jTka6nUOt"),
    ):
        assert IDS.id_of(kind, Fernet(KEY).encrypt(object_id.encode()).decode()) == object_id  # type: ignore[arg-type] # literals


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    before = EncryptedIds([OLD]).token("thread", "thread_1")
    rotated = EncryptedIds([KEY, OLD])
    assert rotated.id_of("thread", before) == "thread_1"
    after = rotated.token("thread", "thread_1")
    assert IDS.id_of("thread", after) == "thread_1"
    unknown(EncryptedIds([OLD]), "thread", after)
    unknown(IDS, "thread", before)


@pytest.mark.parametrize("key", ["", "short", "x" * 44, Fernet.generate_key().decode()[:-1]])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        EncryptedIds([key])


async def test_no_token_of_others_opens_anything(new_owlie: Any, new_caller: Any, caller: Any) -> None:
    """Foreign, tampered and retired tokens, ids of another tenant, of another kind: 404, and always the same words."""
    other_tenant = await new_caller()
    thread, assistant = await caller.thread("mine"), await caller.assistant()
    foreign_thread, foreign_assistant = await other_tenant.thread("theirs"), await other_tenant.assistant()
    owlie = new_owlie(owlie_keys=secret(f"{KEY},{OLD}"))
    good_thread, good_assistant = owlie.ids.token("thread", thread), owlie.ids.token("assistant", assistant)
    run_id = (await owlie.ask(good_thread, "hello", good_assistant))["run_id"]

    def tokens(kind: Kind, own: str, foreign: str, wrong: str) -> list[str]:
        return [
            EncryptedIds([FOREIGN]).token(kind, own),
            tampered(owlie.ids.token(kind, own)),
            owlie.ids.token(kind, foreign),
            owlie.ids.token(kind, "thread_unknown" if kind == "thread" else "asst_unknown"),
            wrong,
            own,
            "é",
        ]

    for token in tokens("thread", thread, foreign_thread, good_assistant):
        question = {"content": "x", "assistant_id": good_assistant}
        for method, path, body in (
            ("GET", f"/api/threads/{token}", None),
            ("POST", f"/api/threads/{token}", question),
            ("POST", f"/api/threads/{token}", {"content": "x"}),
            ("GET", f"/api/runs/{token}/{run_id}", None),
            ("GET", f"/api/threads/{token}/runs/{run_id}", None),
            ("POST", f"/api/threads/{token}/runs/{run_id}/cancel", None),
            ("POST", f"/api/threads/{token}/runs/{run_id}/tool", [{"tool_id": "call_1", "output": "x"}]),
            ("POST", f"/api/threads/{token}/send_and_wait", question),
            ("POST", f"/api/threads/{token}/send_and_stream", question),
            ("GET", f"/api/threads/{token}/stream?message=x", None),
            ("POST", "/api/change_thread", {"thread_id": token, "assistant_id": good_assistant}),
        ):
            detail = await owlie.refused(method, path, 404, json=body)
            assert detail == "No thread has this id.", (token, path)
    for token in tokens("assistant", assistant, foreign_assistant, good_thread):
        for path, body in (
            ("/api/new", {"assistant_id": token}),
            (f"/api/threads/{good_thread}", {"content": "x", "assistant_id": token}),
            ("/api/change_thread", {"thread_id": good_thread, "assistant_id": token}),
        ):
            assert await owlie.refused("POST", path, 404, json=body) == "No assistant has this id.", (token, path)
    for other_run in ("run_unknown", "..", "a b", "x" * 65, "run_\u00e9"):
        await owlie.refused("GET", f"/api/runs/{good_thread}/{other_run}", 404)
    # The first key is retired.
    rotated = new_owlie(owlie_keys=secret(f"{FOREIGN},{OLD}"))
    assert await rotated.refused("GET", f"/api/threads/{good_thread}", 404) == "No thread has this id."
    kept = EncryptedIds([OLD]).token("thread", thread)
    assert len(await rotated.messages(kept)) == 2


async def test_without_keys_there_is_no_such_dialect(new_owlie: Any) -> None:
    for keys in (None, secret(""), secret(" , ")):
        off = new_owlie(owlie_keys=keys)
        for method, path in (("POST", "/api/new"), ("GET", "/api/courses"), ("GET", "/ws")):
            response = await off.http.request(method, path)
            assert response.status_code == 404
            assert "Invalid URL" in response.json()["error"]["message"]


def tampered(token: str) -> str:
    return token[:40] + ("A" if token[40] != "A" else "B") + token[41:]


def secret(keys: str) -> SecretStr:
    return SecretStr(keys)
