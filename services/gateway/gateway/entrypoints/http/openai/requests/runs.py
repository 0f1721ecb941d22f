"""Bodies that create, modify and answer runs."""

from typing import Annotated, Any, TypeVar

from pydantic import Field
from run_engine.domain.drafts import UNSET, NewMessage, NewRun, NewThread, Unset

from gateway.application.identities import NewIds
from gateway.entrypoints.http.openai.requests.fields import (
    Body,
    LongText,
    Metadata,
    Model,
    Several,
    Temperature,
    TokenLimit,
    TopP,
)
from gateway.entrypoints.http.openai.requests.messages import Messages, message_drafts
from gateway.entrypoints.http.openai.requests.options import (
    ReasoningEffort,
    ResponseFormat,
    ToolChoice,
    TruncationStrategy,
    stored_choice,
)
from gateway.entrypoints.http.openai.requests.threads import CreateThread
from gateway.entrypoints.http.openai.requests.tools import RunTools, ToolResources, stored_tools

Value = TypeVar("Value")


class _StartRun(Body):
    """What both ways to start a run have. A field that is null or not given is inherited from the assistant."""

    assistant_id: str
    model: Model | None = None
    instructions: LongText | None = None
    tools: RunTools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: bool | None = None
    max_prompt_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None

    def _draft(self, new_ids: NewIds, **more: Any) -> NewRun:
        given: dict[str, Any] = {}
        if self.truncation_strategy is not None:
            given["truncation_strategy"] = self.truncation_strategy.stored()
        if self.tool_choice is not None:
            given["tool_choice"] = stored_choice(self.tool_choice)
        if self.parallel_tool_calls is not None:
            given["parallel_tool_calls"] = self.parallel_tool_calls
        return NewRun(
            id=new_ids.run(),
            assistant_id=self.assistant_id,
            model=_inherited(self.model),
            instructions=_inherited(self.instructions),
            tools=UNSET if self.tools is None else stored_tools(self.tools),
            metadata=self.metadata or {},
            temperature=_inherited(self.temperature),
            top_p=_inherited(self.top_p),
            response_format=UNSET if self.response_format is None else stored_choice(self.response_format),
            reasoning_effort=_inherited(self.reasoning_effort),
            max_prompt_tokens=self.max_prompt_tokens,
            max_completion_tokens=self.max_completion_tokens,
            **given,
            **more,
        )


class CreateRun(_StartRun):
    """The body of POST /threads/{id}/runs."""

    additional_instructions: LongText | None = None
    additional_messages: Messages | None = None

    def draft(self, new_ids: NewIds) -> NewRun:
        """Return the run to be started."""
        return self._draft(new_ids, additional_instructions=self.additional_instructions)

    def message_drafts(self, new_ids: NewIds) -> list[NewMessage]:
        """Return the messages to be added with it."""
        return message_drafts(self.additional_messages, new_ids)


class CreateThreadAndRun(_StartRun):
    """The body of POST /threads/runs."""

    thread: CreateThread | None = None
    tool_resources: ToolResources | None = None

    def draft(self, new_ids: NewIds) -> NewRun:
        """Return the run to be started."""
        return self._draft(
            new_ids, tool_resources=UNSET if self.tool_resources is None else self.tool_resources.stored()
        )

    def thread_draft(self, new_ids: NewIds) -> NewThread:
        """Return the thread to be made for it."""
        return (self.thread or CreateThread()).draft(new_ids)


class ModifyRun(Body):
    """The body of POST /threads/{id}/runs/{id}."""

    metadata: Metadata | None = None


class ToolOutput(Body):
    """The answer to one call. A call whose function returns nothing may leave `output` out."""

    tool_call_id: str
    output: Annotated[str, Field(max_length=512 * 1024)] | None = None


class SubmitToolOutputs(Body):
    """The body of POST …/submit_tool_outputs."""

    tool_outputs: Several[ToolOutput]
    stream: bool | None = None

    def outputs(self) -> list[tuple[str, str]]:
        """Return call ids and texts."""
        return [(each.tool_call_id, each.output or "") for each in self.tool_outputs]


def _inherited(value: Value | None) -> Value | Unset:
    return UNSET if value is None else value
