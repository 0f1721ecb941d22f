"""The words in which `operations` describes an operation. Turned into OpenAPI by `openapi`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Literal

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
EVENTS: Final = "text/event-stream"
FORM: Final = "multipart/form-data"
BYTES: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Content:
    """A body or a reply of one media type."""

    kind: Any
    """The type that says what it looks like: a model, or anything else that pydantic has a JSON schema for."""
    media_type: str = JSON
    one_of_many: bool = False
    """`kind` is that of one line or one event; there are any number of them."""
    title: str = "StreamEvent"
    """Of events: the name of what each of them is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the query or a header."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    place: Literal["query", "header"] = "query"
    style: Literal["form", "simple", "deepObject"] | None = None
    """OpenAPI's word for how a value that is no text is written; None: its usual one."""
    extension: bool = False
    """Ours; OpenAI's API has none of this name here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    id: str
    """OpenAI's operationId, where the operation is theirs."""
    summary: str
    reply: Any
    """What comes with status 200: the type of a JSON object, or `Content`, one for each media type."""
    body: Any = None
    """What the request brings, told in the same way; None: nothing."""
    parameters: tuple[Parameter, ...] = ()
    refusals: Mapping[HTTPStatus, Any] = field(default_factory=dict)
    """Statuses that only this operation refuses with, and what comes with them where that is no plain refusal."""
    partial: bool = False
    """Ranges may be asked for: status 206."""
    extension: bool = False
    """Ours; OpenAI's API has no such operation."""
    version: Literal[1, 2] = 2
    """Of the Assistants API: the last one that has it. All of version 1 is described as version 2 has it."""
    public: bool = False
    """Needs no key."""


def contents(told: Any) -> tuple[Content, ...]:
    """Return a body or a reply as the contents it may have."""
    if told is None:
        return ()
    if isinstance(told, tuple):
        return told
    return (told,) if isinstance(told, Content) else (Content(told),)
