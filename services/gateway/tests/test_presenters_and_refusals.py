"""Objects and errors where this dialect's words are not the engine's. Pure."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from conformance.field_facts import FieldFacts
from gateway.entrypoints.http.body import BodyTooLarge
from gateway.entrypoints.http.endpoint import MethodNotAllowed, UnknownRoute
from gateway.entrypoints.http.openai.presenters.runs import run
from gateway.entrypoints.http.openai.presenters.steps import step
from gateway.entrypoints.http.openai.presenters.words import seconds
from gateway.entrypoints.http.openai.refusals import message_on_busy_thread, refusal_of
from run_engine.domain.objects import Run, RunStep, ToolCall, Usage
from run_engine.domain.status import RunStatus, StepStatus
from run_engine.errors import (
    DatabaseUnavailable,
    IllegalMove,
    NotFound,
    OutputsNotAccepted,
    ThreadBusy,
    WrongOutputs,
)

NOW = datetime(2026, 9, 1, 12, 0, 0, 999_999, tzinfo=UTC)
CALL = ToolCall(id="call_1", name="f", arguments="{}", service=None, output=None)
RUN = Run(
    tenant_id="t",
    id="run_1",
    thread_id="thread_1",
    assistant_id="asst_1",
    created_at=NOW,
    status=RunStatus.QUEUED,
    attempt=0,
    seq=1,
    expires_at=None,
    started_at=None,
    cancelled_at=None,
    failed_at=None,
    completed_at=None,
    last_error=None,
    incomplete_details=None,
    model="demo",
    instructions=None,
    tools=[],
    tool_resources=None,
    metadata={},
    usage=None,
    temperature=None,
    top_p=None,
    max_prompt_tokens=None,
    max_completion_tokens=None,
    truncation_strategy={"type": "auto", "last_messages": None},
    tool_choice="auto",
    parallel_tool_calls=True,
    response_format=None,
    reasoning_effort=None,
)
STEP = RunStep(
    id="step_1",
    run_id="run_1",
    thread_id="thread_1",
    assistant_id="asst_1",
    created_at=NOW,
    type="tool_calls",
    status=StepStatus.FAILED,
    message_id=None,
    tool_calls=(CALL,),
    last_error=None,
    completed_at=None,
    failed_at=None,
    cancelled_at=None,
    expired_at=None,
    metadata={},
    usage=Usage(prompt_tokens=1, completion_tokens=2),
)


def violations(schema: str, shown: dict[str, Any]) -> list[str]:
    return FieldFacts().violations(schema, orjson.dumps(shown))


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_status_of_a_run_is_shown_in_openais_words(status: RunStatus) -> None:
    shown = run(replace(RUN, status=status, required_calls=(CALL,)))
    assert violations("RunObject", shown) == []
    assert shown["status"] == ("in_progress" if status is RunStatus.AWAITING_TOOLS else status.value)
    assert (shown["required_action"] is not None) is (status is RunStatus.REQUIRES_ACTION)


@pytest.mark.parametrize("status", list(StepStatus))
def test_every_status_of_a_step(status: StepStatus) -> None:
    assert violations("RunStepObject", step(replace(STEP, status=status))) == []


def test_instructions_of_a_run_are_text_and_sampling_has_its_defaults() -> None:
    shown = run(RUN)
    assert (shown["instructions"], shown["temperature"], shown["top_p"], shown["response_format"]) == (
        "", 1.0, 1.0, "auto",
    )  # fmt: skip
    assert run(replace(RUN, temperature=0.0, top_p=0.0))["temperature"] == 0.0


def test_codes_that_only_runs_know_become_a_steps_server_error() -> None:
    for code, shown in (("rate_limit_exceeded", "rate_limit_exceeded"), ("invalid_prompt", "server_error")):
        failed = step(replace(STEP, last_error={"code": code, "message": "m"}))
        assert failed["last_error"] == {"code": shown, "message": "m"}
        assert violations("RunStepObject", failed) == []


def test_seconds_are_whole_and_never_in_the_future() -> None:
    assert seconds(NOW) == int(NOW.timestamp())
    assert seconds(None) is None


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (NotFound("run step", "step_x"), 404, "No run step found with id 'step_x'."),
        (NotFound("thread", "x" * 100), 404, f"No thread found with id '{'x' * 64}...'."),
        (ThreadBusy("thread_1", "run_1"), 400, "Thread thread_1 already has an active run run_1."),
        (IllegalMove("completed", "cancel"), 400, "Cannot cancel run with status 'completed'."),
        (IllegalMove(RunStatus.EXPIRED, "cancel"), 400, "Cannot cancel run with status 'expired'."),
        (OutputsNotAccepted("expired"), 400, 'Runs in status "expired" do not accept tool outputs.'),
        (OutputsNotAccepted("awaiting_tools"), 400, 'Runs in status "in_progress" do not accept tool outputs.'),
        (
            WrongOutputs(["call_a", "call_b"], ["call_a"]),
            400,
            "Expected tool outputs for call_ids ['call_a', 'call_b'], got ['call_a']",
        ),
        (BodyTooLarge(10), 413, "The request body is too large: at most 10 bytes are accepted."),
        (UnknownRoute(), 404, "Invalid URL (POST /v1/x)"),
        (MethodNotAllowed(("GET",)), 405, "Not allowed to POST on /v1/x."),
        (
            DatabaseUnavailable("host 10.0.0.1"),
            503,
            "The server cannot reach its database at the moment. Please try again.",
        ),
    ],
)
def test_errors_in_openais_words(error: Exception, status: int, message: str) -> None:
    refusal = refusal_of(error, "POST", "/v1/x")
    assert (refusal.status, refusal.message) == (status, message)
    assert refusal.kind == ("server_error" if status >= 500 else "invalid_request_error")
    assert violations("ErrorResponse", orjson.loads(refusal.reply().body)) == []


def test_a_message_on_a_busy_thread() -> None:
    refusal = message_on_busy_thread(ThreadBusy("thread_1", "run_1"))
    assert refusal.message == "Can't add messages to thread_1 while a run run_1 is active."


def test_anything_else_is_a_500_that_tells_nothing() -> None:
    reply = refusal_of(ValueError("a secret"), "GET", "/v1/x").reply()
    assert reply.status == 500
    assert b"secret" not in reply.body
