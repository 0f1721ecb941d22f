"""Where a run asks for calls, as chat models would show it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from run_engine.domain.call_requests import CallRequest, as_asked, call_requests
from run_engine.domain.objects import Assistant, Json, RunStep, ToolCall
from run_engine.domain.status import StepStatus
from run_engine.domain.streamable import can_be_streamed

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CALL = ToolCall(id="call_1", name="f", arguments='{"a":1}', service=None, output=None)
CALLS = RunStep(
    id="step_calls",
    run_id="run_1",
    thread_id="thread_1",
    assistant_id="asst_1",
    created_at=NOW,
    type="tool_calls",
    status=StepStatus.COMPLETED,
    message_id=None,
    tool_calls=(CALL,),
    last_error=None,
    completed_at=None,
    failed_at=None,
    cancelled_at=None,
    expired_at=None,
    metadata={},
    usage=None,
)
SAID = replace(CALLS, id="step_said", type="message_creation", message_id="msg_1", tool_calls=())


def test_a_message_and_the_calls_right_after_it_are_one_reply() -> None:
    waiting = replace(CALLS, id="step_2", status=StepStatus.IN_PROGRESS)
    assert call_requests([SAID, CALLS, waiting]) == [CallRequest(CALLS, "msg_1"), CallRequest(waiting, None)]


def test_what_was_given_up_asks_for_nothing() -> None:
    failed = replace(CALLS, status=StepStatus.FAILED)
    cut = replace(SAID, status=StepStatus.FAILED)
    assert call_requests([SAID, failed, cut, CALLS, SAID]) == [CallRequest(CALLS, None)]


def test_calls_as_they_are_asked_for() -> None:
    function = {"name": "f", "arguments": '{"a":1}'}
    assert as_asked([CALL]) == [{"id": "call_1", "type": "function", "function": function}]


@pytest.mark.parametrize(
    ("metadata", "response_format", "streamed"),
    [
        ({}, None, True),
        ({"streaming": "on"}, "auto", True),
        ({}, {"type": "text"}, True),
        ({"streaming": "off"}, None, False),
        ({}, {"type": "json_object"}, False),
        ({}, {"type": "json_schema", "json_schema": {}}, False),
    ],
)
def test_which_answers_are_of_use_in_parts(metadata: dict[str, str], response_format: Json, streamed: bool) -> None:
    assistant = Assistant(
        id="asst_1",
        created_at=NOW,
        name=None,
        description=None,
        model="demo",
        instructions=None,
        tools=[],
        tool_resources=None,
        metadata=metadata,
        temperature=None,
        top_p=None,
        response_format=response_format,
        reasoning_effort=None,
    )
    assert can_be_streamed(assistant) is streamed
