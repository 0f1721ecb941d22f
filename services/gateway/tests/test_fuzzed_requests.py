"""Hundreds of strange requests: no 5xx, and every refusal in the envelope (`facts` sees to that)."""

import json
import string
from typing import Any
from urllib.parse import quote

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# The caller is the same for all examples on purpose; a database is slow to Hypothesis.
STRANGE = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
FEW = settings(STRANGE, max_examples=100)

WORDS = [
    "model", "name", "description", "instructions", "tools", "type", "function", "file_search", "code_interpreter",
    "parameters", "strict", "metadata", "temperature", "top_p", "response_format", "json_schema", "schema", "role",
    "content", "text", "image_url", "url", "attachments", "file_id", "messages", "thread", "assistant_id", "stream",
    "additional_messages", "max_prompt_tokens", "truncation_strategy", "last_messages", "tool_choice", "tool_outputs",
    "tool_call_id", "output", "tool_resources", "file_ids", "vector_store_ids", "vector_stores", "reasoning_effort",
    "user", "auto", "required", "low", "asst_1", "demo",
]  # fmt: skip
# Every character there is, the halves of surrogate pairs among them.
any_text = st.text(st.characters(exclude_categories=()), max_size=20)
texts = st.sampled_from(WORDS) | any_text
numbers = st.integers() | st.floats() | st.sampled_from([0, 1, 256, 2**31, 2**63, 2**64, -1, 1e308])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(st.sampled_from(WORDS) | any_text, values, max_size=6)

RIGHT: dict[str, dict[str, Any]] = {
    "/assistants": {"model": "demo"},
    "/assistants/{assistant}": {},
    "/threads": {},
    "/threads/{thread}": {},
    "/threads/{thread}/messages": {"role": "user", "content": "x"},
    "/threads/{thread}/messages/{message}": {},
    "/threads/runs": {"assistant_id": "{assistant}"},
    "/threads/{thread}/runs": {"assistant_id": "{assistant}"},
    "/threads/{thread}/runs/{run}": {},
    "/threads/{thread}/runs/{run}/cancel": {},
    "/threads/{thread}/runs/{run}/submit_tool_outputs": {"tool_outputs": []},
}
FIELDS = {
    "/assistants": ["name", "tools", "metadata", "temperature", "response_format", "tool_resources", "instructions"],
    "/threads": ["messages", "metadata", "tool_resources"],
    "/threads/{thread}/messages": ["content", "attachments", "metadata", "role"],
    "/threads/runs": ["thread", "tools", "tool_choice", "truncation_strategy", "max_prompt_tokens", "tool_resources"],
}


def as_json(value: Any) -> bytes:
    """JSON of values that are not all JSON: floats may be NaN, integers of any size, texts half characters."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


async def sent(caller: Any, path: str, content: bytes, content_type: str = "application/json") -> None:
    response = await caller.http.post(
        path.format(**caller.known), content=content, headers={"content-type": content_type}
    )
    assert response.status_code in (200, 400, 404, 413), response.text


async def know(caller: Any) -> None:
    """Gives the caller objects that strange requests can be about, once."""
    if not hasattr(caller, "known"):
        run = await caller.run()
        message = (await caller.get(f"/threads/{run['thread_id']}/messages"))["data"][0]["id"]
        ids = {"assistant": run["assistant_id"], "thread": run["thread_id"], "run": run["id"], "message": message}
        caller.known = ids


@STRANGE
@given(path=st.sampled_from(sorted(RIGHT)), body=bodies)
async def test_strange_fields(caller: Any, path: str, body: dict[str, Any]) -> None:
    await know(caller)
    right = {
        name: value.format(**caller.known) if isinstance(value, str) else value for name, value in RIGHT[path].items()
    }
    if body.get("stream") is True:
        # Nobody drives the run, so its stream would not end.
        del body["stream"]
    await sent(caller, path, as_json({**right, **body}))


@STRANGE
@given(data=st.data(), path=st.sampled_from(sorted(FIELDS)), value=values)
async def test_strange_values_of_known_fields(caller: Any, data: Any, path: str, value: Any) -> None:
    await know(caller)
    right = {
        name: value.format(**caller.known) if isinstance(value, str) else value for name, value in RIGHT[path].items()
    }
    await sent(caller, path, as_json({**right, data.draw(st.sampled_from(FIELDS[path])): value}))


@FEW
@given(path=st.sampled_from(sorted(RIGHT)), content=st.binary(max_size=200), cut=st.integers(0, 40))
async def test_bytes_that_are_not_json(caller: Any, path: str, content: bytes, cut: int) -> None:
    await know(caller)
    await sent(caller, path, content)
    await sent(caller, path, orjson.dumps(RIGHT["/threads/{thread}/messages"])[:cut] + content)


@FEW
@given(
    path=st.sampled_from(
        [
            "/assistants",
            "/threads",
            "/threads/{thread}/messages",
            "/threads/{thread}/runs",
            "/threads/{thread}/runs/{run}/steps",
        ]
    ),
    query=st.dictionaries(
        st.sampled_from(
            ["limit", "order", "after", "before", "run_id", "include[]", "metadata", "metadata[a]", "metadata[]"]
        )
        | st.text(max_size=5),
        st.text(max_size=12) | st.integers().map(str),
        max_size=4,
    ),
)
async def test_strange_queries(caller: Any, path: str, query: dict[str, str]) -> None:
    await know(caller)
    clean = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    response = await caller.http.get(path.format(**caller.known), params=clean)
    assert response.status_code in (200, 400, 404), response.text


@FEW
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]),
    path=st.lists(
        st.sampled_from(["threads", "runs", "assistants", "messages", "steps", "cancel", "asst_1"])
        | st.text(string.printable, max_size=10),
        max_size=6,
    ),
)
async def test_strange_paths(caller: Any, method: str, path: list[str]) -> None:
    url = "http://gateway/v1/" + "/".join(quote(part, safe="") for part in path)
    response = await caller.http.request(method, url)
    assert response.status_code in (200, 400, 404, 405), response.text
