"""What callers hand to the store to have written: new objects, changes, pages.

Ids are made by the caller (`domain.ids`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar

from run_engine.domain.objects import Json, Metadata, Role

Item = TypeVar("Item")

MOST_MESSAGES: Final = 100_000
"""Messages that a thread may have: OpenAI's limit."""


class Unset:
    """The type of `UNSET`: this field was not given, leave it (or inherit it) as it is."""

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAssistant:
    """An assistant to be created, or the whole of its fields after a change."""

    id: str
    model: str
    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    tools: list[Json] = field(default_factory=list)
    tool_resources: Json | None = None
    metadata: Metadata = field(default_factory=dict)
    temperature: float | None = None
    top_p: float | None = None
    response_format: Json | None = None
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message to be added; `content` is a list of OpenAI content parts."""

    id: str
    role: Role
    content: list[Json]
    attachments: list[Json] | None = None
    metadata: Metadata = field(default_factory=dict)
    sender_id: str | None = None
    tool_calls: list[Json] | None = None
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """A user to be created."""

    id: str
    name: str | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTool:
    """A tool to be created. A function without a name gets the tool's."""

    id: str
    name: str
    function: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class NewThread:
    """A thread to be created with its first messages."""

    id: str
    metadata: Metadata = field(default_factory=dict)
    tool_resources: Json | None = None
    messages: Sequence[NewMessage] = ()
    title: str | None = None
    assistant_id: str | None = None
    participants: Sequence[str] = ()
    """Ids of users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be started. Fields left at `UNSET` are inherited from the assistant in the same statement."""

    id: str
    assistant_id: str
    model: str | Unset = UNSET
    instructions: str | Unset | None = UNSET
    additional_instructions: str | None = None
    """Appended to the instructions, after an empty line."""
    tools: list[Json] | Unset = UNSET
    tool_resources: Json | Unset | None = UNSET
    metadata: Metadata = field(default_factory=dict)
    temperature: float | Unset | None = UNSET
    top_p: float | Unset | None = UNSET
    response_format: Json | Unset | None = UNSET
    reasoning_effort: str | Unset | None = UNSET
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    truncation_strategy: Json = field(default_factory=lambda: {"type": "auto", "last_messages": None})
    tool_choice: Json = "auto"
    parallel_tool_calls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToolCall:
    """A call that the model asked for."""

    id: str
    name: str
    arguments: str
    service: str | None = None
    """The tool service that answers it; None: the client does."""
    timeout: float | None = None
    """Seconds a service has for its answer; None for the client's calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """A page of a list, by (created_at, position). `after` and `before` are ids; both exclude the object they name."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    before: str | None = None
    most_bytes: int | None = None
    """Bytes of content above which the page ends early; it has one object at least. None: no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """One page; `has_more` tells whether the list goes on in the direction that was asked for."""

    items: Sequence[Item]
    has_more: bool


Changes = dict[str, Any]
"""Fields to change, by their name in `domain.objects`; a field that is not in it stays."""
