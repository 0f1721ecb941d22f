"""Runs that come from elsewhere, in any status."""

from typing import Annotated, Literal

from pydantic import Field
from run_engine.domain.objects import Run, ToolCall
from run_engine.domain.status import RunStatus

from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.requests.fields import (
    LARGEST_INTEGER,
    LONGEST_TEXT,
    Body,
    Identifier,
    Metadata,
    Model,
    Several,
    Temperature,
    TopP,
)
from gateway.entrypoints.http.openai.requests.imported import (
    Given,
    Imported,
    ImportedUsage,
    Reference,
    Seconds,
    moment,
    moment_or_none,
    usage_of,
)
from gateway.entrypoints.http.openai.requests.options import (
    ReasoningEffort,
    ResponseFormat,
    ToolChoice,
    TruncationStrategy,
)
from gateway.entrypoints.http.openai.requests.tools import AssistantTools, ToolResources

Limit = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
"""Tokens that a run may use."""
Instructions = Annotated[str, Field(max_length=2 * LONGEST_TEXT + 2)]
"""Those of an assistant, and additional ones below them."""


class RequiredFunction(Body):
    """A function as a run names it."""

    name: Identifier
    arguments: str


class RequiredCall(Body):
    """A call that the client has to answer."""

    id: Identifier
    type: Literal["function"]
    function: RequiredFunction


class RequiredOutputs(Body):
    """What outputs are waited for."""

    tool_calls: Annotated[Several[RequiredCall], Field(min_length=1)]


class RequiredAction(Body):
    """What the client has to do."""

    type: Literal["submit_tool_outputs"]
    submit_tool_outputs: RequiredOutputs


class RunError(Body):
    """Why a run or a step has failed."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class RunIncomplete(Body):
    """Which limit has ended a run."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens", "content_filter"] | None = None


class ImportedRun(Imported):
    """A `thread.run`, in any status."""

    object: Literal["thread.run"]
    thread_id: Identifier
    assistant_id: Reference
    status: Literal[
        "queued",
        "in_progress",
        "requires_action",
        "cancelling",
        "cancelled",
        "failed",
        "completed",
        "incomplete",
        "expired",
    ]
    required_action: RequiredAction | None = None
    last_error: RunError | None = None
    expires_at: Seconds | None = None
    started_at: Seconds | None = None
    cancelled_at: Seconds | None = None
    failed_at: Seconds | None = None
    completed_at: Seconds | None = None
    incomplete_details: RunIncomplete | None = None
    model: Model
    instructions: Instructions | None = None
    tools: AssistantTools | None = None
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    usage: ImportedUsage | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_prompt_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None

    def imported(self, tenant_id: str, given: Given) -> Run:
        """Return the object to be stored. Raises `Refusal` where status and required action contradict each other."""
        return Run(
            tenant_id=tenant_id,
            id=self.id,
            thread_id=self.thread_id,
            assistant_id=self.assistant_id,
            created_at=moment(self.created_at),
            status=RunStatus(self.status),
            attempt=1,
            seq=0,
            expires_at=moment_or_none(self.expires_at),
            started_at=moment_or_none(self.started_at),
            cancelled_at=moment_or_none(self.cancelled_at),
            failed_at=moment_or_none(self.failed_at),
            completed_at=moment_or_none(self.completed_at),
            last_error=given.get("last_error"),
            incomplete_details=given.get("incomplete_details"),
            model=self.model,
            instructions=self.instructions,
            tools=given.get("tools") or [],
            tool_resources=given.get("tool_resources"),
            metadata=self.metadata or {},
            usage=usage_of(self.usage, given),
            temperature=self.temperature,
            top_p=self.top_p,
            max_prompt_tokens=self.max_prompt_tokens,
            max_completion_tokens=self.max_completion_tokens,
            truncation_strategy=given.get("truncation_strategy") or {"type": "auto", "last_messages": None},
            tool_choice=given.get("tool_choice") or "auto",
            parallel_tool_calls=self.parallel_tool_calls is not False,
            response_format=given.get("response_format") or "auto",
            reasoning_effort=self.reasoning_effort,
            required_calls=self._required_calls(),
        )

    def _required_calls(self) -> tuple[ToolCall, ...]:
        if (self.status == "requires_action") is not (self.required_action is not None):
            message = "Invalid 'required_action': a run has one while its status is 'requires_action', and only then."
            raise Refusal(400, message, param="required_action", code="invalid_value")
        if self.required_action is None:
            return ()
        calls = {call.id: call.function for call in self.required_action.submit_tool_outputs.tool_calls}
        return tuple(
            ToolCall(id=call_id, name=function.name, arguments=function.arguments, service=None, output=None)
            for call_id, function in calls.items()
        )
