"""`/agents/v1`: whatever is raised becomes the envelope of the dialect, and strange requests are refused."""

import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from gateway.application.answering import NoAnswer, NoAssistant
from gateway.application.streams.hub import StreamsEnd
from gateway.application.waiting import StillRunning
from gateway.entrypoints.http.agents.ids import tenant_shown, user_shown
from gateway.entrypoints.http.agents.refusals import NoStreaming, refusal_of
from gateway.entrypoints.http.body import BodyTooLarge
from gateway.entrypoints.http.endpoint import MethodNotAllowed, UnknownRoute
from gateway.entrypoints.http.idempotency import KeyMalformed
from gateway.entrypoints.http.request_limit import TooManyRequests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus
from run_engine.errors import (
    DatabaseUnavailable,
    KeyInUse,
    KeyReused,
    NotFound,
    OutputsNotAccepted,
    ThreadBusy,
    ThreadFull,
    Unanswerable,
)
from starlette.types import ASGIApp
from stream_scripts import RUN

DOCUMENT = {
    each["error_code"]: each["detail"]
    for each in json.loads((Path(__file__).parents[3] / "tests" / "agents" / "errors.json").read_text())
}


def ended(status: RunStatus, code: str | None = None) -> Run:
    return replace(RUN, status=status, last_error=None if code is None else {"code": code, "message": "secret"})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("assistant", "x"), 403, "assistant_not_available"),
        (NoAssistant(), 403, "assistant_not_available"),
        (NotFound("thread", "x"), 404, "thread_not_found"),
        (NotFound("message", "x"), 404, "resource_not_found"),
        (NotFound("user", "x"), 404, "resource_not_found"),
        (UnknownRoute(), 404, "resource_not_found"),
        (MethodNotAllowed(("GET",)), 405, "method_not_allowed"),
        (NoStreaming(), 409, "engine_does_not_support_streaming"),
        (ThreadBusy("x", "y"), 409, "thread_busy"),
        (OutputsNotAccepted("queued"), 409, "thread_busy"),
        (KeyReused(), 409, "idempotency_key_reused"),
        (KeyInUse(), 409, "idempotency_key_in_use"),
        (BodyTooLarge(10), 413, "request_too_large"),
        (Unanswerable("no_user_message"), 422, "validation_error"),
        (Unanswerable("calls_not_answered", ["x" * 1000] * 1000), 422, "validation_error"),
        (ThreadFull("x", 100_000), 422, "validation_error"),
        (KeyMalformed(), 422, "validation_error"),
        (NoAnswer(ended(RunStatus.FAILED, "invalid_prompt")), 422, "validation_error"),
        (TooManyRequests(7), 429, "rate_limit_gateway"),
        (NoAnswer(ended(RunStatus.FAILED, "rate_limit_exceeded")), 429, "rate_limit_gateway"),
        (NoAnswer(ended(RunStatus.FAILED, "server_error")), 503, "internal_service_error"),
        (NoAnswer(ended(RunStatus.CANCELLED)), 503, "internal_service_error"),
        (NoAnswer(ended(RunStatus.INCOMPLETE)), 503, "internal_service_error"),
        (DatabaseUnavailable("secret"), 503, "internal_service_error"),
        (StreamsEnd(), 503, "internal_service_error"),
        (RuntimeError("secret"), 500, "internal_service_error"),
        (StillRunning(RUN), 504, "api_timeout_error"),
        (NoAnswer(ended(RunStatus.EXPIRED)), 504, "api_timeout_error"),
    ],
)
def test_what_is_raised_becomes_an_envelope(error: Exception, status: int, code: str) -> None:
    refusal = refusal_of(error)
    body = orjson.loads(refusal.reply().body)
    assert (refusal.status, list(body), body["error_code"]) == (status, ["error_code", "detail"], code)
    assert "secret" not in str(body)
    assert len(str(body)) < 3000
    if code in DOCUMENT:
        assert body["detail"] == DOCUMENT[code]
    if code == "validation_error":
        assert [list(each) for each in body["detail"]] == [["loc", "message", "type"]]
    if status in {429, 503}:
        assert int(dict(refusal.headers)[b"retry-after"]) > 0


def test_all_codes_of_the_document_are_known() -> None:
    assert len(DOCUMENT) == 6


def test_users_and_tenants_are_shown_by_the_names_that_they_have() -> None:
    number = str(uuid.uuid4())
    assert tenant_shown(number) == number
    assert tenant_shown("demo") == tenant_shown("demo") != tenant_shown("other")
    assert uuid.UUID(tenant_shown("demo")).version == 5
    assert [user_shown(each) for each in (None, "anna@example.org", "user_1")] == [None, "anna@example.org", "user_1"]


@pytest_asyncio.fixture
async def agents(caller: Any, app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://gateway/agents/v1",
        headers={"api-key": caller.key},
    ) as client:
        yield client


NAMES = ["assistant_id", "title", "user_id", "role", "content", "tool_calls", "tool_call_id", "tools", "tool_choice"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(max_size=20)
    | st.sampled_from(["tool", "assistant", "function", "required", str(uuid.uuid4())]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "id", "type", "function", "name", "parameters"]), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5).map(orjson.dumps) | st.binary(max_size=30)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, operation=st.sampled_from(["", "/{thread}/messages", "/{thread}/run", "/{thread}/run/stream"]))
async def test_strange_bodies_are_refused(agents: httpx.AsyncClient, caller: Any, body: bytes, operation: str) -> None:
    # A thread without a user's message: none of these bodies may start a run, which nobody would answer here.
    thread = await caller.thread()
    reply = await agents.post(f"/threads{operation.format(thread=thread)}", content=body)
    assert reply.status_code in {200, 403, 422}, reply.text
    if reply.status_code != 200:
        assert list(reply.json()) == ["error_code", "detail"]


@pytest.mark.parametrize(
    "part", ["..", "%00", "a%2Fb", "ü", "x" * 300, "'--", "{}", "00000000-0000-0000-0000-000000000000"]
)
async def test_strange_ids_are_nobodys(agents: httpx.AsyncClient, part: str) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/messages"),
        ("POST", "/messages"),
        ("POST", "/run"),
        ("POST", "/run/stream"),
    ):
        reply = await agents.request(method, f"/threads/{part}{path}", content=b'{"content": "hi"}')
        assert reply.status_code in {404, 405}, (method, path, reply.text)
        if "error_code" in reply.json():
            assert reply.json()["error_code"] in {"thread_not_found", "resource_not_found", "method_not_allowed"}
    for query in ({"user_id": part}, {"user_id": f"{part}\x00"}, {"after": part}):
        reply = await agents.get("/threads", params=query)
        assert (reply.status_code, reply.json()["error_code"].endswith("_not_found")) == (404, True)
