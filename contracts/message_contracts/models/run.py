"""Generated from the schemas by `python -m message_contracts generate`; do not edit."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class LastErrorV1(TypedDict):
    """Why a run or a step failed."""

    code: str
    """Kind of failure. New kinds may be added: treat an unknown one like server_error."""

    message: str
    """Sentence for people; holds neither secrets nor message text."""


class OpenFunctionCallV1(TypedDict):
    """The function to call."""

    name: str
    """Name of the function, as the assistant declares it."""

    arguments: str | None
    """Arguments as JSON text, written by the model. Null when they went by reference: read the run over the API."""


class OpenToolCallV1(TypedDict):
    """One open client tool call."""

    id: str
    """Id of the tool call."""

    type: str
    """Kind of tool. New kinds may be added."""

    function: OpenFunctionCallV1
    """The function to call."""


class OpenToolCallsV1(TypedDict):
    """The open client tool calls."""

    tool_calls: list[OpenToolCallV1]
    """The calls whose outputs are expected, in the order the model made them. Calls that tool services answer are not listed."""


class RequiredActionV1(TypedDict):
    """What the API client has to do before the run can go on."""

    type: str
    """Kind of action. New kinds may be added."""

    submit_tool_outputs: NotRequired[OpenToolCallsV1]
    """The open client tool calls."""


class RunAwaitingToolsV1(TypedDict):
    """The run is parked until tool services have answered; the API client has nothing to do. Source: run-orchestrator or gateway. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is awaiting_tools."""


class RunCancelRequestedV1(TypedDict):
    """Wake-up: somebody asked to cancel this run. The cancellation itself is already stored. Source: gateway. Subject: run id."""

    run: RunReferenceV1
    """The run to look at."""


class RunCancelledV1(TypedDict):
    """The run was cancelled. Source: gateway or run-orchestrator. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is cancelled."""


class RunCancellingV1(TypedDict):
    """Cancellation was asked for while a worker held the run. Source: gateway. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is cancelling."""


class RunCompletedV1(TypedDict):
    """The run ended with its answer. Source: run-orchestrator. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is completed."""


class RunExpiredV1(TypedDict):
    """The run did not end before its expires_at. Source: run-orchestrator. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is expired."""


class RunFailedV1(TypedDict):
    """The run ended with an error. Source: run-orchestrator. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is failed."""


class RunInProgressV1(TypedDict):
    """A worker claimed the run; run.attempt has grown by one. Source: run-orchestrator. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is in_progress."""


class RunIncompleteDetailsV1(TypedDict):
    """Why the run ended incomplete. Null if it did not."""

    reason: str
    """What ran out. New reasons may be added."""


class RunIncompleteV1(TypedDict):
    """The run ended early because a token limit was reached. Source: run-orchestrator. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is incomplete."""


class RunQueuedV1(TypedDict):
    """A run was created, or was given back by a worker or after its tools answered, and waits for a worker. Source: gateway or run-orchestrator. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is queued."""


class RunReferenceV1(TypedDict):
    """Names a run and its thread; whoever needs the rest reads the run itself."""

    id: str
    """Id of the run, as the API shows it."""

    thread_id: str
    """Id of the thread the run belongs to. The Kafka key of everything about this run."""


class RunRequestedV1(TypedDict):
    """Wake-up: this run is queued and no new message tells so. Losing it costs a second, never the run. Source: gateway. Subject: run id."""

    run: RunReferenceV1
    """The run to look at."""


class RunRequiresActionV1(TypedDict):
    """The run is parked until the API client submits the outputs of its client tool calls. Source: run-orchestrator. Subject: run id."""

    run: RunV1
    """The run as of this event; its status is requires_action."""


class RunV1(TypedDict):
    """One run with all its mutable fields as of the event's ce_seq."""

    id: str
    """Id of the run, as the API shows it."""

    thread_id: str
    """Id of the thread the run works on."""

    assistant_id: str
    """Id of the assistant that is run."""

    status: str
    """State of the run. New states may be added. awaiting_tools means that only tool services still owe answers; the OpenAI dialect shows it as in_progress."""

    attempt: int
    """How often a worker has claimed the run, counting every claim, also those after tool rounds. 0 until the first claim."""

    model: str
    """Name of the model the run uses, resolved when the run was created."""

    created_at: str
    """When the run was created, by the database's clock. RFC 3339."""

    expires_at: str | None
    """When an unfinished run will be ended as expired, RFC 3339. Null once the run has completed."""

    started_at: str | None
    """When a worker first claimed the run, RFC 3339. Null before that."""

    cancelled_at: str | None
    """When the run was cancelled, RFC 3339. Null if it was not."""

    failed_at: str | None
    """When the run failed, RFC 3339. Null if it did not."""

    completed_at: str | None
    """When the run completed, RFC 3339. Null if it did not."""

    metadata: dict[str, str]
    """Pairs that the API client attached; at most 16, keys up to 64 and values up to 512 characters. Empty when there are none."""

    last_error: LastErrorV1 | None
    """Why the run failed. Null if it did not."""

    incomplete_details: RunIncompleteDetailsV1 | None
    """Why the run ended incomplete. Null if it did not."""

    required_action: RequiredActionV1 | None
    """What the API client has to do. Null unless status is requires_action."""

    usage: UsageV1 | None
    """Sum of the usage of the run's steps. Null until the run has ended."""


class UsageV1(TypedDict):
    """Tokens as the model counted them."""

    prompt_tokens: int
    """Tokens the model read."""

    completion_tokens: int
    """Tokens the model wrote."""

    total_tokens: int
    """Sum of the two, as the model reports it."""
