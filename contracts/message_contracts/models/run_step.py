"""Generated from the schemas by `python -m message_contracts generate`; do not edit."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class LastErrorV1(TypedDict):
    """Why a run or a step failed."""

    code: str
    """Kind of failure. New kinds may be added: treat an unknown one like server_error."""

    message: str
    """Sentence for people; holds neither secrets nor message text."""


class MessageCreationV1(TypedDict):
    """The message the step wrote. Present when type is message_creation."""

    message_id: str
    """Id of the message."""


class RunStepCancelledV1(TypedDict):
    """A step was open when its run was cancelled. Source: gateway or run-orchestrator. Subject: step id."""

    step: RunStepV1
    """The step as of this event."""


class RunStepCompletedV1(TypedDict):
    """A step ended: its message is written, or all its tool calls are answered. Source: run-orchestrator or gateway. Subject: step id."""

    step: RunStepV1
    """The step as of this event."""


class RunStepCreatedV1(TypedDict):
    """A step of a run began. Source: run-orchestrator. Subject: step id."""

    step: RunStepV1
    """The step as of this event."""


class RunStepExpiredV1(TypedDict):
    """A step was open when its run expired. Source: run-orchestrator. Subject: step id."""

    step: RunStepV1
    """The step as of this event."""


class RunStepFailedV1(TypedDict):
    """A step failed, or was given up because its worker died; the run may go on with a new step. Source: run-orchestrator. Subject: step id."""

    step: RunStepV1
    """The step as of this event."""


class RunStepInProgressV1(TypedDict):
    """The calls of a tool_calls step are complete and being answered. Only where run-step.created went out earlier, before the model had written them. Source: run-orchestrator. Subject: step id."""

    step: RunStepV1
    """The step as of this event, with all its calls; its status is in_progress."""


class RunStepV1(TypedDict):
    """One step of a run with all its mutable fields as of the event's ce_seq."""

    id: str
    """Id of the step, as the API shows it."""

    run_id: str
    """Id of the run the step belongs to."""

    thread_id: str
    """Id of the thread the run works on."""

    assistant_id: str
    """Id of the assistant that is run."""

    type: str
    """What the step does. New kinds may be added."""

    status: str
    """State of the step. New states may be added."""

    step_details: StepDetailsV1 | None
    """The message or the tool calls of the step. Null when they went by reference; step_details_url is set then."""

    step_details_url: NotRequired[str]
    """Where an authorised client reads the step's details over the API. Present exactly when step_details is null."""

    created_at: str
    """When the step was created, by the database's clock. RFC 3339."""

    completed_at: str | None
    """When the step completed, RFC 3339. Null if it did not."""

    failed_at: str | None
    """When the step failed, RFC 3339. Null if it did not."""

    cancelled_at: str | None
    """When the step was cancelled, RFC 3339. Null if it was not."""

    expired_at: str | None
    """When the step expired with its run, RFC 3339. Null if it did not."""

    last_error: LastErrorV1 | None
    """Why the step failed. Null if it did not."""

    usage: UsageV1 | None
    """Tokens of the step. Null until the step has completed."""


class StepDetailsV1(TypedDict):
    """What a step did; the member named by type is present."""

    type: str
    """Which of the members below is present. New kinds may be added."""

    message_creation: NotRequired[MessageCreationV1]
    """The message the step wrote. Present when type is message_creation."""

    tool_calls: NotRequired[list[StepToolCallV1]]
    """The tool calls of the step, in the order the model made them. Present when type is tool_calls."""


class StepFunctionCallV1(TypedDict):
    """The function that was called."""

    name: str
    """Name of the function."""

    arguments: str
    """Arguments as JSON text, written by the model; may be malformed JSON."""

    output: str | None
    """What the tool answered. Null until it has."""


class StepToolCallV1(TypedDict):
    """One tool call, answered or not."""

    id: str
    """Id of the tool call."""

    type: str
    """Kind of tool. New kinds may be added."""

    function: StepFunctionCallV1
    """The function that was called."""


class UsageV1(TypedDict):
    """Tokens as the model counted them."""

    prompt_tokens: int
    """Tokens the model read."""

    completion_tokens: int
    """Tokens the model wrote."""

    total_tokens: int
    """Sum of the two, as the model reports it."""
