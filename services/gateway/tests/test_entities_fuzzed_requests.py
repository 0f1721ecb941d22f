"""`/entities`: a thousand strange requests. None is a 5xx, every refusal is in the envelope."""

import json
import string
from typing import Any
from urllib.parse import quote

from engine_world import call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# The caller is the same for all examples on purpose; a database is slow to Hypothesis.
STRANGE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

RIGHT: dict[str, tuple[str, dict[str, Any]]] = {
    "/users": ("POST", {"name": "ada"}),
    "/users/{user}": ("PUT", {"name": "ada"}),
    "/threads": ("POST", {"participant_ids": [], "meta_data": {}}),
    "/messages": (
        "POST",
        {"content": "x", "thread_id": "{free}", "sender_id": "{user}", "role": "user", "meta_data": {}},
    ),
    "/messages/assistant": ("POST", {"content": "x", "thread_id": "{free}", "meta_data": {}}),
    "/messages/{message}/tool": ("POST", {"content": "x"}),
    "/runs": ("POST", {"assistant_id": "{assistant}", "thread_id": "{thread}", "instructions": "", "meta_data": {}}),
    "/runs/{run}/status": ("PUT", {"status": "in_progress"}),
    "/assistants": (
        "POST",
        {
            "model": "demo",
            "name": "",
            "description": "",
            "instructions": "",
            "tools": [],
            "meta_data": {},
            "top_p": 1,
            "temperature": 1,
            "response_format": "auto",
            "user_id": "{user}",
        },
    ),
    "/assistants/{assistant}": ("PUT", {"tools": [], "meta_data": {}}),
    "/tools": ("POST", {"name": "f", "type": "function", "function": {"name": "f", "parameters": {}}}),
    "/tools/{tool}": ("PUT", {"name": "f", "function": {}}),
    "/actions": ("POST", {"run_id": "{run}", "tool_name": "f", "tool_id": "{tool}", "function_args": {}}),
    "/actions/{action}": ("PUT", {"status": "pending", "result": {}}),
}
WORDS = [
    "function",
    "name",
    "type",
    "parameters",
    "a",
    "json:",
    "json:{",
    "user",
    "tool",
    "completed",
    "failed",
    "{run}",
]
# Every character there is, the halves of surrogate pairs among them.
texts = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=()), max_size=20)
# JSON has no larger integers that every reader understands.
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats() | st.sampled_from([0, 2**31, 2**63, 2**64 - 1, -1, 1e308])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


async def known(entities: Any) -> dict[str, str]:
    """Objects that strange requests can be about, made once."""
    if not hasattr(entities, "known"):
        shown, _ = await entities.parked(call())
        user = await entities.user()
        free = await entities.thread(user)
        entities.known = {
            "user": user,
            "free": free,
            "thread": shown["thread_id"],
            "run": shown["id"],
            "assistant": shown["assistant_id"],
            "message": (await entities.say(free, user, "hello"))["id"],
            "tool": (await entities.post("/tools", {"function": {"name": "f"}}))["id"],
            "action": (await entities.get(f"/runs/{shown['id']}/actions/status"))[0]["id"],
        }
    return dict(entities.known)


def filled(value: Any, ids: dict[str, str]) -> Any:
    return value.format(**ids) if isinstance(value, str) and value.strip("{}") in ids else value


async def sent(entities: Any, method: str, path: str, content: bytes) -> None:
    response = await entities.http.request(method, path, content=content, headers={"content-type": "application/json"})
    assert response.status_code in (200, 400, 404, 409, 422), response.text
    if response.status_code != 200:
        assert list(response.json()) == ["detail"]


@STRANGE
@given(
    data=st.data(), path=st.sampled_from(sorted(RIGHT)), value=values, extra=st.dictionaries(texts, values, max_size=2)
)
async def test_strange_values(entities: Any, data: Any, path: str, value: Any, extra: dict[str, Any]) -> None:
    ids = await known(entities)
    method, right = RIGHT[path]
    body = {name: filled(each, ids) for name, each in right.items()} | extra
    body[data.draw(st.sampled_from(sorted(right)))] = value
    await sent(entities, method, path.format(**ids), json.dumps(body).encode("utf-8", "surrogatepass"))


@STRANGE
@given(given_data=st.dictionaries(st.text(max_size=8), values, max_size=5))
async def test_meta_data_comes_back_as_it_was_given(entities: Any, given_data: dict[str, Any]) -> None:
    content = json.dumps({"participant_ids": [], "meta_data": given_data}).encode("utf-8", "surrogatepass")
    response = await entities.http.post("/threads", content=content, headers={"content-type": "application/json"})
    if response.status_code == 200:
        made = response.json()
        assert made["meta_data"] == json.loads(content)["meta_data"]
        assert (await entities.get(f"/threads/{made['id']}"))["meta_data"] == made["meta_data"]
    else:
        assert response.status_code == 422, response.text


@STRANGE
@given(path=st.sampled_from(sorted(RIGHT)), content=st.binary(max_size=100), cut=st.integers(0, 40))
async def test_bytes_that_are_not_json(entities: Any, path: str, content: bytes, cut: int) -> None:
    ids = await known(entities)
    method, right = RIGHT[path]
    await sent(entities, method, path.format(**ids), json.dumps(right).encode()[:cut] + content)


@STRANGE
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD"]),
    path=st.lists(
        st.sampled_from(
            [
                "users",
                "threads",
                "messages",
                "runs",
                "actions",
                "status",
                "cancel",
                "tools",
                "name",
                "assistants",
                "tool",
            ]
        )
        | st.text(string.printable, max_size=10)
        | st.text(max_size=5),
        max_size=5,
    ),
    query=st.dictionaries(st.sampled_from(["limit", "order", "status"]), st.text(max_size=6), max_size=2),
)
async def test_strange_paths(entities: Any, method: str, path: list[str], query: dict[str, str]) -> None:
    url = "http://gateway/entities/v1/" + "/".join(quote(part.encode("utf-8", "replace"), safe="") for part in path)
    clean = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    response = await entities.http.request(method, url, params=clean)
    assert response.status_code in (200, 400, 404, 405, 422), response.text
