"""The shapes of runs and run steps."""

from typing import Literal

from gateway.entrypoints.http.openai.document.objects import Shape
from gateway.entrypoints.http.openai.requests.fields import Metadata
from gateway.entrypoints.http.openai.requests.imported_runs import RequiredAction, RunError
from gateway.entrypoints.http.openai.requests.imported_steps import (
    CodeInterpreterCall,
    FileSearchCall,
    MessageCreation,
    StepError,
)
from gateway.entrypoints.http.openai.requests.options import (
    ReasoningEffort,
    ResponseFormat,
    ToolChoice,
    TruncationStrategy,
)
from gateway.entrypoints.http.openai.requests.tools import Tool, ToolResources


class Usage(Shape):
    """Tokens; what else a model's server tells of them comes with it."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class RunLimit(Shape):
    """Which limit has ended a run."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens"]


class RunObject(Shape):
    """A run on a thread."""

    id: str
    object: Literal["thread.run"]
    created_at: int
    thread_id: str
    assistant_id: str
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
    required_action: RequiredAction | None
    last_error: RunError | None
    expires_at: int | None
    started_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    incomplete_details: RunLimit | None
    model: str
    instructions: str
    tools: list[Tool]
    tool_resources: ToolResources
    metadata: Metadata
    usage: Usage | None
    temperature: float
    top_p: float
    max_prompt_tokens: int | None
    max_completion_tokens: int | None
    truncation_strategy: TruncationStrategy
    tool_choice: ToolChoice
    parallel_tool_calls: bool
    response_format: ResponseFormat
    reasoning_effort: ReasoningEffort | None


class AnsweredFunction(Shape):
    """A function as a step called it; `output` is null while there is none."""

    name: str
    arguments: str
    output: str | None


class AnsweredCall(Shape):
    """A call of a function."""

    id: str
    type: Literal["function"]
    function: AnsweredFunction


class ToolCallsDetails(Shape):
    """What a step called."""

    type: Literal["tool_calls"]
    tool_calls: list[AnsweredCall | CodeInterpreterCall | FileSearchCall]


class RunStepObject(Shape):
    """A step of a run."""

    id: str
    object: Literal["thread.run.step"]
    created_at: int
    assistant_id: str
    thread_id: str
    run_id: str
    type: Literal["message_creation", "tool_calls"]
    status: Literal["in_progress", "cancelled", "failed", "completed", "expired"]
    step_details: MessageCreation | ToolCallsDetails
    last_error: StepError | None
    expired_at: int | None
    expires_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    metadata: Metadata
    usage: Usage | None
