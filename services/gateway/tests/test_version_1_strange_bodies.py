"""Bodies of version 1 that nobody would send: refused in the envelope or taken, never a 5xx."""

import json
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruby_client import OPERATIONS, VERSION_1, differences
from version_1_world import Version1

FIELDS = [
    "model", "name", "instructions", "tools", "type", "retrieval", "file_search", "function", "parameters", "file_ids",
    "metadata", "role", "content", "messages", "thread", "assistant_id", "additional_messages", "tool_choice",
    "tool_outputs", "tool_call_id", "output", "tool_resources", "attachments", "file_id", "user", "auto", "file-1",
    "truncation_strategy", "response_format", "max_prompt_tokens",
]  # fmt: skip
words = st.sampled_from(FIELDS) | st.text(max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)
tools = st.lists(st.fixed_dictionaries({"type": st.sampled_from(["retrieval", "code_interpreter", "x"])}), max_size=3)
messages = st.lists(
    st.fixed_dictionaries({"role": st.just("user"), "content": st.just("x")}, optional={"file_ids": values}), max_size=3
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "tools": tools | values,
        "file_ids": st.lists(words, max_size=3) | values,
        "messages": messages | values,
        "additional_messages": messages | values,
        "thread": st.fixed_dictionaries({}, optional={"messages": messages | values}) | values,
        "tool_choice": values,
    },
)
MANY = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
TAKE_BODIES = sorted(name for name, each in OPERATIONS.items() if "body" in each)


@pytest_asyncio.fixture
async def place(ruby: Version1) -> dict[str, str]:
    """Objects that all examples are about."""
    made = await ruby.place()
    return {**made, "thread_id": made["idle_thread_id"]}


@pytest.mark.parametrize("name", TAKE_BODIES)
@MANY
@given(known=fields, more=st.dictionaries(words, values, max_size=2), alone=st.booleans())
async def test_operation(
    ruby: Version1, place: dict[str, str], name: str, known: dict[str, Any], more: dict[str, Any], alone: bool
) -> None:
    operation = OPERATIONS[name]
    example = {
        field: place.get(str(value).removesuffix("_example"), value) for field, value in operation["body"].items()
    }
    body = example | (dict(list(known.items())[:1]) if alone else known | more)
    response = await ruby.http.post(
        operation["path"].format(**place),
        content=json.dumps(body).encode("utf-8", "surrogatepass"),
        headers={"authorization": ruby.key, "content-type": "application/json", **VERSION_1},
    )
    assert response.status_code in (200, 400, 404), response.text
    kind = operation["returns"] if response.status_code == 200 else "Error"
    assert differences(kind, response.json()) == []
