"""What OpenAI's API refuses is refused, with its status, its envelope and its codes; nothing becomes a 500."""

from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_simulator.request.chat_request import parse
from model_simulator.request.refusals import RefusedError

COMPLETIONS = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "hello"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


async def test_a_request_without_a_key_is_refused_with_401(http: httpx.AsyncClient) -> None:
    for header in ("", "Bearer", "Basic abc"):
        reply = await http.post(
            COMPLETIONS, json={"model": "demo", "messages": HELLO}, headers={"authorization": header}
        )
        assert reply.status_code == 401
        assert reply.json()["error"]["type"] == "invalid_request_error"
        assert "didn't provide an API key" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"messages": HELLO}, None, None),
        ({"model": 5, "messages": HELLO}, "model", "invalid_type"),
        ({"model": "m"}, "messages", "missing_required_parameter"),
        ({"model": "m", "messages": []}, "messages", "empty_array"),
        ({"model": "m", "messages": "hello"}, "messages", "invalid_type"),
        ({"model": "m", "messages": ["hello"]}, "messages[0]", "invalid_type"),
        ({"model": "m", "messages": [{"role": "robot", "content": ""}]}, "messages[0].role", "invalid_value"),
        ({"model": "m", "messages": [{"role": "user", "content": None}]}, "messages[0].content", None),
        ({"model": "m", "messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
        ({"model": "m", "messages": HELLO, "n": 2}, "n", "unsupported_value"),
        ({"model": "m", "messages": HELLO, "stream": "yes"}, "stream", "invalid_type"),
        ({"model": "m", "messages": HELLO, "max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"model": "m", "messages": HELLO, "max_completion_tokens": "9"}, "max_completion_tokens", "invalid_type"),
        ({"model": "m", "messages": HELLO, "stream_options": {"include_usage": True}}, "stream_options", None),
        ({"model": "m", "messages": HELLO, "stream": True, "stream_options": 1}, "stream_options", "invalid_type"),
        ({"model": "m", "messages": HELLO, "tools": []}, "tools", "empty_array"),
        ({"model": "m", "messages": HELLO, "tools": {}}, "tools", "invalid_type"),
        ({"model": "m", "messages": HELLO, "tools": [1]}, "tools[0]", "invalid_type"),
        ({"model": "m", "messages": HELLO, "tools": [{"type": "web"}]}, "tools[0].type", "invalid_value"),
        (
            {"model": "m", "messages": HELLO, "tools": [{"type": "function", "function": {}}]},
            "tools[0].function.name",
            "missing_required_parameter",
        ),
        ({"model": "m", "messages": HELLO, "tool_choice": "auto"}, "tool_choice", None),
        ({"model": "m", "messages": HELLO, "tools": [TOOL], "tool_choice": 5}, "tool_choice", "invalid_type"),
        (
            {"model": "m", "messages": HELLO, "tools": [TOOL], "tool_choice": {"function": {"name": "g"}}},
            "tool_choice",
            None,
        ),
        ({"model": "m", "messages": HELLO, "parallel_tool_calls": False}, "parallel_tool_calls", None),
        ({"model": "m+speed=9", "messages": HELLO}, "model", "invalid_value"),
        ({"model": "m+tps=nan", "messages": HELLO}, "model", "invalid_value"),
        ({"model": "m+status=418", "messages": HELLO}, "model", "invalid_value"),
        (
            {"model": "m", "messages": [*HELLO, {"role": "tool", "tool_call_id": "call_1", "content": ""}]},
            "messages.[1].role",
            None,
        ),
        (
            {"model": "m", "messages": [{"role": "assistant", "content": None, "tool_calls": [CALL]}, *HELLO]},
            "messages.[1].role",
            None,
        ),
        (
            {"model": "m", "messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]}]},
            "messages.[1].role",
            None,
        ),
        (
            {"model": "m", "messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "x"}]}]},
            "messages[0].tool_calls",
            "invalid_value",
        ),
    ],
)
async def test_a_wrong_request_is_refused_with_400(
    http: httpx.AsyncClient, body: dict[str, Any], param: str | None, code: str | None
) -> None:
    reply = await http.post(COMPLETIONS, json=body)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert error["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
async def test_a_body_that_is_no_object_is_refused_with_400(http: httpx.AsyncClient, content: bytes) -> None:
    reply = await http.post(COMPLETIONS, content=content)
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"


async def test_other_paths_and_methods_are_refused_in_the_same_envelope(http: httpx.AsyncClient) -> None:
    unknown = await http.get("/v1/nothing")
    assert (unknown.status_code, unknown.json()["error"]["message"]) == (404, "Invalid URL (GET /v1/nothing)")
    wrong = await http.post("/v1/models")
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (405, "invalid_request_error")
    assert (await http.get(COMPLETIONS)).status_code in (404, 405)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "tool_calls", "type", "function", "name", "id"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["model", "messages", "tools", "tool_choice", "stream", "stream_options", "max_tokens"]),
        json_values,
    )
)
def test_no_shape_of_body_does_anything_but_parse_or_be_refused(body: dict[str, Any]) -> None:
    try:
        parse(orjson.dumps(body))
    except RefusedError as refused:
        assert refused.refusal.status == 400
