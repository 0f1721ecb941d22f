"""Run steps that come from elsewhere, with the calls of whatever tools."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag
from run_engine.domain.objects import RunStep, ToolCall
from run_engine.domain.status import StepStatus

from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.requests.fields import Body, Identifier, Metadata, Several, kind_of, tag
from gateway.entrypoints.http.openai.requests.imported import (
    OPEN,
    Given,
    Imported,
    ImportedUsage,
    Reference,
    Seconds,
    moment,
    moment_or_none,
    usage_of,
)


class CalledFunction(Body):
    """A function with its answer, if there is one."""

    name: Identifier
    arguments: str
    output: str | None = None


class FunctionCall(Body):
    """A call of a function."""

    id: Identifier
    type: Literal["function"]
    function: CalledFunction


class Interpreted(Body):
    """What code was run, and what came of it."""

    model_config = OPEN

    input: str
    outputs: Several[dict[str, Any]]


class CodeInterpreterCall(Body):
    """A call of the code interpreter; kept as it is."""

    model_config = OPEN

    id: str
    type: Literal["code_interpreter"]
    code_interpreter: Interpreted


class FileSearchCall(Body):
    """A call of file search; kept as it is."""

    model_config = OPEN

    id: str
    type: Literal["file_search"]
    file_search: dict[str, Any]


Call = Annotated[
    Annotated[FunctionCall, Tag(tag("function"))]
    | Annotated[CodeInterpreterCall, Tag(tag("code_interpreter"))]
    | Annotated[FileSearchCall, Tag(tag("file_search"))],
    Discriminator(kind_of),
]


class ToolCalls(Body):
    """The details of a step that called tools."""

    type: Literal["tool_calls"]
    tool_calls: Several[Call]


class CreatedMessage(Body):
    """The message that a step wrote."""

    message_id: Reference


class MessageCreation(Body):
    """The details of a step that wrote a message."""

    type: Literal["message_creation"]
    message_creation: CreatedMessage


Details = Annotated[
    Annotated[MessageCreation, Tag(tag("message_creation"))] | Annotated[ToolCalls, Tag(tag("tool_calls"))],
    Discriminator(kind_of),
]


class StepError(Body):
    """Why a step has failed."""

    code: Literal["server_error", "rate_limit_exceeded"]
    message: str


class ImportedStep(Imported):
    """A `thread.run.step`."""

    object: Literal["thread.run.step"]
    run_id: Identifier
    thread_id: Identifier
    assistant_id: Reference
    type: Literal["message_creation", "tool_calls"]
    status: Literal["in_progress", "cancelled", "failed", "completed", "expired"]
    step_details: Details
    last_error: StepError | None = None
    expired_at: Seconds | None = None
    expires_at: Seconds | None = None
    cancelled_at: Seconds | None = None
    failed_at: Seconds | None = None
    completed_at: Seconds | None = None
    metadata: Metadata | None = None
    usage: ImportedUsage | None = None

    def imported(self, tenant_id: str, given: Given) -> RunStep:
        """Return the object to be stored. Raises `Refusal` where type and details contradict each other."""
        details = self.step_details
        if details.type != self.type:
            message = f"Invalid value: '{details.type}'. The type of this step is '{self.type}'."
            raise Refusal(400, message, param="step_details.type", code="invalid_value")
        calls = details.tool_calls if isinstance(details, ToolCalls) else []
        return RunStep(
            id=self.id,
            run_id=self.run_id,
            thread_id=self.thread_id,
            assistant_id=self.assistant_id,
            created_at=moment(self.created_at),
            type=self.type,
            status=StepStatus(self.status),
            message_id=details.message_creation.message_id if isinstance(details, MessageCreation) else None,
            tool_calls=tuple(_tool_call(call) for call in calls if isinstance(call, FunctionCall)),
            other_calls=tuple(
                (place, given["step_details"]["tool_calls"][place])
                for place, call in enumerate(calls)
                if not isinstance(call, FunctionCall)
            ),
            last_error=given.get("last_error"),
            completed_at=moment_or_none(self.completed_at),
            failed_at=moment_or_none(self.failed_at),
            cancelled_at=moment_or_none(self.cancelled_at),
            expired_at=moment_or_none(self.expired_at),
            expires_at=moment_or_none(self.expires_at),
            metadata=self.metadata or {},
            usage=usage_of(self.usage, given),
        )


def _tool_call(call: FunctionCall) -> ToolCall:
    function = call.function
    return ToolCall(id=call.id, name=function.name, arguments=function.arguments, service=None, output=function.output)
