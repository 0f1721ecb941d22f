"""The objects of the engine as values. The store returns them; dialects and workers turn them into their own shapes.

All times are aware datetimes in UTC, from the database's clock. JSON-shaped fields (tools, content, metadata …) hold
plain lists and dicts in the shape that OpenAI's API gives them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from run_engine.domain.status import MessageStatus, RunStatus, StepStatus

Json = Any
Metadata = dict[str, str]
Role = Literal["user", "assistant", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as the model counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    details: Mapping[str, Json] = field(default_factory=dict)
    """More of what an imported object says about its tokens (cached ones, say), as its API said it."""

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """A configured assistant; `tools` is a list of OpenAI tool objects."""

    id: str
    created_at: datetime
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[Json]
    tool_resources: Json | None
    metadata: Metadata
    temperature: float | None
    top_p: float | None
    response_format: Json | None
    reasoning_effort: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who takes part in threads and sends messages, as the tenant's app knows them."""

    id: str
    created_at: datetime
    name: str | None
    metadata: Metadata
    assistant_ids: tuple[str, ...] | None = None
    """The assistants that they have, where a user is exported; None: not told here, and an import leaves them alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that is kept under a name, to be given to assistants."""

    id: str
    created_at: datetime
    name: str
    function: Json
    """Its definition as chat completions have it: name, description, parameters. The model calls it by this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A conversation. `active_run` is the run that locks it."""

    id: str
    created_at: datetime
    metadata: Metadata
    tool_resources: Json | None
    active_run: str | None
    title: str | None = None
    assistant_id: str | None = None
    """The assistant that answers where a request names none. It stays when that assistant is deleted."""
    participants: tuple[str, ...] | None = None
    """Ids of the users who take part, as `User.assistant_ids`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `content` is a list of content parts (`{"type": "text", "text": {"value", "annotations"}}`)."""

    id: str
    thread_id: str
    created_at: datetime
    status: MessageStatus
    incomplete_details: Json | None
    completed_at: datetime | None
    incomplete_at: datetime | None
    role: Role
    content: list[Json]
    assistant_id: str | None
    run_id: str | None
    attachments: list[Json] | None
    metadata: Metadata
    sender_id: str | None = None
    """The user who sent it. It stays when that user is deleted."""
    tool_calls: list[Json] | None = None
    """Of an assistant's message that a client wrote: its calls, `{"id", "type": "function", "function": {"name",
    "arguments"}}`."""
    tool_call_id: str | None = None
    """Of a tool's message: the call that it answers, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One function call of the model, with its answer once there is one."""

    id: str
    name: str
    arguments: str
    """JSON text, exactly as the model wrote it."""
    service: str | None
    """The tool service that answers it; None for a call that the client answers."""
    output: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of an assistant on a thread. Model, instructions and tools are the snapshot taken when it was created."""

    tenant_id: str
    id: str
    thread_id: str
    assistant_id: str
    created_at: datetime
    status: RunStatus
    attempt: int
    seq: int
    """Number of the run's last event."""
    expires_at: datetime | None
    """When an unfinished run ends by itself; None once completed."""
    started_at: datetime | None
    cancelled_at: datetime | None
    failed_at: datetime | None
    completed_at: datetime | None
    last_error: Json | None
    incomplete_details: Json | None
    model: str
    instructions: str | None
    tools: list[Json]
    tool_resources: Json | None
    metadata: Metadata
    usage: Usage | None
    """Sum over the finished steps; shown once the run has ended."""
    temperature: float | None
    top_p: float | None
    max_prompt_tokens: int | None
    max_completion_tokens: int | None
    truncation_strategy: Json
    tool_choice: Json
    parallel_tool_calls: bool
    response_format: Json
    reasoning_effort: str | None
    required_calls: tuple[ToolCall, ...] = ()
    """The open calls that the client has to answer, while the run is in requires_action."""
    stream_slots: frozenset[int] = frozenset()
    """The slots of the gateways that stream the run, and of those that wait for it (`domain.stream_slots`)."""
    claim_event: Json | None = None
    """Of a run that was claimed just now: the event of the claim (seq, type, subject, data, created_at)."""
    queued_seconds: float | None = None
    """Of a run that was claimed just now: how long it was queued."""
    traceparent: str | None = None
    """Of a run that was claimed just now: the trace that it was begun in, if it was."""
    newest_messages: tuple[Message, ...] | None = None
    """Of a run that was claimed just now: the newest messages of its thread, newest first; None where they have to be
    read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """One thing a run did: wrote a message, or called tools."""

    id: str
    run_id: str
    thread_id: str
    assistant_id: str
    created_at: datetime
    type: Literal["message_creation", "tool_calls"]
    status: StepStatus
    message_id: str | None
    tool_calls: tuple[ToolCall, ...]
    """Of functions, in the model's order; empty for a message_creation step."""
    last_error: Json | None
    completed_at: datetime | None
    failed_at: datetime | None
    cancelled_at: datetime | None
    expired_at: datetime | None
    metadata: Metadata
    usage: Usage | None
    expires_at: datetime | None = None
    """Of imported steps alone; nothing ends here because of it."""
    other_calls: tuple[tuple[int, Json], ...] = ()
    """Calls of other tools than functions, as they were imported, each with its place among all calls of the step."""
