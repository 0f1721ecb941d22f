"""The recorder itself: it must find what it is there to find."""

from typing import Any

import orjson
import pytest
from conformance.field_facts import FieldFacts

RUN: dict[str, Any] = {
    "id": "run_1",
    "object": "thread.run",
    "created_at": 1,
    "thread_id": "thread_1",
    "assistant_id": "asst_1",
    "status": "queued",
    "required_action": None,
    "last_error": None,
    "expires_at": 601,
    "started_at": None,
    "cancelled_at": None,
    "failed_at": None,
    "completed_at": None,
    "model": "demo",
    "instructions": "",
    "tools": [],
    "metadata": {},
    "usage": None,
    "incomplete_details": None,
    "max_prompt_tokens": None,
    "max_completion_tokens": None,
    "truncation_strategy": {"type": "auto", "last_messages": None},
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "response_format": "auto",
}
PATH = "/v1/threads/thread_1/runs/run_1"


@pytest.fixture
def facts() -> FieldFacts:
    return FieldFacts()


def test_a_complete_object_passes_and_is_counted(facts: FieldFacts) -> None:
    facts.check("GET", PATH, 200, orjson.dumps(RUN))
    assert facts.problems == []
    assert facts.operations == {("GET", "/threads/{thread_id}/runs/{run_id}")}


@pytest.mark.parametrize("key", sorted(RUN))
def test_every_missing_required_key_is_found(facts: FieldFacts, key: str) -> None:
    facts.check("GET", PATH, 200, orjson.dumps({name: value for name, value in RUN.items() if name != key}))
    assert len(facts.problems) == 1
    assert key in facts.problems[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("status", "awaiting_tools"),
        ("created_at", 1.5),
        ("created_at", "2026-01-01"),
        ("instructions", None),
        ("expires_at", "soon"),
        ("usage", {"prompt_tokens": 1}),
        ("truncation_strategy", {"type": "last"}),
        ("tool_choice", "any"),
        ("tools", [{"type": "retrieval"}]),
        ("metadata", {"a": 1}),
    ],
)
def test_wrong_values_are_found(facts: FieldFacts, key: str, value: Any) -> None:
    facts.check("GET", PATH, 200, orjson.dumps({**RUN, key: value}))
    assert len(facts.problems) >= 1


@pytest.mark.parametrize("key", ["truncation_strategy", "tool_choice", "response_format", "expires_at", "usage"])
def test_nullable_means_or_null(facts: FieldFacts, key: str) -> None:
    facts.check("GET", PATH, 200, orjson.dumps({**RUN, key: None}))
    assert facts.problems == []


def test_ids_of_a_page_are_null_only_where_it_is_empty(facts: FieldFacts) -> None:
    page = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    facts.check("GET", "/v1/threads/thread_1/runs", 200, orjson.dumps(page))
    assert facts.problems == []
    facts.check("GET", "/v1/threads/thread_1/runs", 200, orjson.dumps({**page, "data": [RUN]}))
    assert len(facts.problems) == 1


def test_what_stands_beside_the_document_is_held_to_its_facts(facts: FieldFacts) -> None:
    model = {"id": "demo", "object": "model", "created": 1, "owned_by": "somebody"}
    facts.check("GET", "/v1/models", 200, orjson.dumps({"object": "list", "data": [model]}))
    facts.check("GET", "/v1/models/demo", 200, orjson.dumps(model))
    thread = {"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}
    page = {"object": "list", "data": [thread], "first_id": "thread_1", "last_id": "thread_1", "has_more": False}
    facts.check("GET", "/v1/threads", 200, orjson.dumps(page))
    assert facts.problems == []
    for missing in model:
        wrong = {name: value for name, value in model.items() if name != missing}
        facts.check("GET", "/v1/models/demo", 200, orjson.dumps(wrong))
    facts.check("GET", "/v1/threads", 200, orjson.dumps({**page, "data": [model]}))
    assert len(facts.problems) >= len(model) + 1
    assert ("POST", "/threads") in facts.known_operations(), "the operations of the document stay"


def test_errors_have_to_be_in_the_envelope(facts: FieldFacts) -> None:
    envelope = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}}
    facts.check("POST", "/v1/anything", 400, orjson.dumps(envelope))
    assert facts.problems == []
    facts.check("POST", "/v1/anything", 422, orjson.dumps({"detail": []}))
    facts.check("POST", "/v1/anything", 500, b"Internal Server Error")
    assert len(facts.problems) == 2


def test_the_path_with_fewer_variables_is_meant(facts: FieldFacts) -> None:
    facts.check("POST", "/v1/threads/runs", 200, orjson.dumps(RUN))
    assert facts.problems == []
    assert facts.operations == {("POST", "/threads/runs")}
