"""What requests of this dialect bring: bodies and queries, held to their limits. Raises `Refusal` (422)."""

import re
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from run_engine.domain.drafts import UNSET, NewMessage, NewRun
from run_engine.domain.objects import Json

from gateway.application.identities import NewIds
from gateway.entrypoints.http.agents.ids import LONGEST_USER
from gateway.entrypoints.http.agents.refusals import LONGEST_NAME, violation, violations
from gateway.entrypoints.http.exchange import Call
from gateway.entrypoints.http.json_values import DEEPEST, NUL, is_too_deep, path_to_nul

MOST_VIOLATIONS: Final = 20
MOST_LISTED: Final = 100
MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes of content above which a list ends early: what it says is held in memory until its client has read it."""

Text = Annotated[str, Field(max_length=256_000)]
GivenId = Annotated[str, Field(min_length=1, max_length=64)]
CallId = Annotated[str, Field(min_length=1, max_length=256)]
_UserName = Annotated[str, Field(min_length=1, max_length=LONGEST_USER, pattern=r"^[^\x00-\x1f\x7f]*$")]
_FunctionName = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]


class Body(BaseModel):
    """Base of all bodies. Unknown fields are passed over, as the original's framework does."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class CreateThread(Body):
    """The body of POST /threads."""

    assistant_id: GivenId
    title: Annotated[str, Field(max_length=512)] | None = None
    user_id: _UserName | None = None


class CalledFunction(Body):
    """What a tool call calls."""

    name: _FunctionName
    arguments: Annotated[str, Field(max_length=512 * 1024)] = "{}"


class ToolCall(Body):
    """A call that an assistant's message asks for."""

    id: CallId
    type: Literal["function"] = "function"
    function: CalledFunction


class CreateMessage(Body):
    """The body of POST /threads/{id}/messages."""

    role: Literal["user", "assistant", "tool"] = "user"
    content: Text | None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=128)] | None = None
    tool_call_id: CallId | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> "CreateMessage":
        if self.role == "tool" and self.tool_call_id is None:
            raise PydanticCustomError("missing", "A tool message needs a tool_call_id")
        if self.role != "tool" and self.tool_call_id is not None:
            raise PydanticCustomError("value_error", "Only a tool message has a tool_call_id")
        if self.tool_calls and self.role != "assistant":
            raise PydanticCustomError("value_error", "Only an assistant message has tool_calls")
        if self.tool_calls and len({call.id for call in self.tool_calls}) < len(self.tool_calls):
            raise PydanticCustomError("value_error", "Two of the tool_calls have the same id")
        if not self.content and not self.tool_calls and self.role != "tool":
            raise PydanticCustomError("missing", "The message has no content")
        return self

    def draft(self, new_ids: NewIds, sender_id: str | None) -> NewMessage:
        """Return the message to be stored."""
        calls = [call.model_dump() for call in self.tool_calls or ()]
        return NewMessage(
            id=new_ids.message(),
            role=self.role,
            content=[{"type": "text", "text": {"value": self.content or "", "annotations": []}}],
            sender_id=sender_id if self.role == "user" else None,
            tool_calls=calls or None,
            tool_call_id=self.tool_call_id,
        )


class Function(Body):
    """The definition of a function, as chat completions have it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: _FunctionName
    description: Annotated[str, Field(max_length=256_000)] | None = None
    parameters: dict[str, Any] | None = None


class FunctionTool(Body):
    """A function that may be called in this run."""

    type: Literal["function"]
    function: Function


class NamedFunction(Body):
    """The function that has to be called."""

    name: _FunctionName


class ToolChoice(Body):
    """That a certain function has to be called."""

    type: Literal["function"]
    function: NamedFunction


class Run(Body):
    """The body of POST /threads/{id}/run and …/run/stream. All of it is optional, and so is the body."""

    assistant_id: GivenId | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None

    def draft(self, new_ids: NewIds, assistant_id: str) -> NewRun:
        """Return the run to be started."""
        choice: Json = self.tool_choice or "auto"
        return NewRun(
            id=new_ids.run(),
            assistant_id=assistant_id,
            tools=UNSET if self.tools is None else [tool.model_dump(exclude_none=True) for tool in self.tools],
            tool_choice=choice.model_dump() if isinstance(choice, ToolChoice) else choice,
        )


Request = TypeVar("Request", bound=Body)

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


async def parse(call: Call, kind: type[Request]) -> Request:
    """Read the body of `call` as a `kind`. No body at all stands for an empty object, of whatever media type."""
    body = await call.body()
    value = _load(body) if body and not body.isspace() else {}
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[:MOST_VIOLATIONS]
        raise violations(
            [
                {"loc": ["body", *map(_clipped, each["loc"])], "message": each["msg"], "type": each["type"]}
                for each in found
            ]
        ) from None


def parameters(query: bytes) -> dict[str, str]:
    """Return the parameters of a query string that have a value; of a repeated one, the last."""
    return dict(parse_qsl(query.decode("latin-1")))


def limit_of(given: dict[str, str], default: int) -> int:
    """Return how many objects a list is to have."""
    text = given.get("limit")
    if text is None:
        return default
    if not _INTEGER.fullmatch(text):
        raise violation(["query", "limit"], "Input should be a valid integer", "int_parsing")
    if not 1 <= int(text) <= MOST_LISTED:
        raise violation(["query", "limit"], f"Input should be from 1 to {MOST_LISTED}", "out_of_range")
    return int(text)


def order_of(given: dict[str, str], default: Literal["asc", "desc"]) -> Literal["asc", "desc"]:
    """Return from which end a list begins."""
    match given.get("order", default):
        case "asc":
            return "asc"
        case "desc":
            return "desc"
        case _:
            raise violation(["query", "order"], "Input should be 'asc' or 'desc'", "literal_error")


def _load(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise violation(["body", error.pos], "JSON decode error", "json_invalid") from None
    if not isinstance(value, dict):
        raise violation(["body"], "Input should be a valid dictionary or object", "model_attributes_type")
    if body.count(b"{") + body.count(b"[") > DEEPEST and is_too_deep(value):
        raise violation(["body"], f"The body is nested deeper than {DEEPEST} levels")
    path = path_to_nul(value) if NUL in body else None
    if path is not None:
        message = "The text contains the character U+0000, which cannot be stored"
        raise violation(["body", *map(_clipped, path)], message)
    return value


def _clipped(name: str | int) -> str | int:
    return name[:LONGEST_NAME] if isinstance(name, str) else name
