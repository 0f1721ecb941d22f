"""The shapes of server-sent events: their names, and the data of each."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field

from gateway.entrypoints.http.openai.document.objects import ErrorResponse, MessageObject, Shape, ThreadObject
from gateway.entrypoints.http.openai.document.runs import RunObject, RunStepObject


class TextDelta(Shape):
    """More of a text. Its first delta has the annotations, empty."""

    value: str
    annotations: list[dict[str, Any]] = Field(default_factory=list)


class TextContentDelta(Shape):
    """More of a piece of text."""

    index: int
    type: Literal["text"]
    text: TextDelta


class RefusalContentDelta(Shape):
    """More of a refusal."""

    index: int
    type: Literal["refusal"]
    refusal: str


class MessageDelta(Shape):
    """More of a message's content."""

    content: list[TextContentDelta | RefusalContentDelta]


class MessageDeltaObject(Shape):
    """What has come to a message."""

    id: str
    object: Literal["thread.message.delta"]
    delta: MessageDelta


class FunctionDelta(Shape):
    """More of a function's call: the name at first, then its arguments piece by piece."""

    name: str = ""
    arguments: str
    output: str | None = None


class CallDelta(Shape):
    """More of a call."""

    index: int
    id: str = ""
    type: Literal["function"]
    function: FunctionDelta


class ToolCallsDelta(Shape):
    """More of a step's calls."""

    type: Literal["tool_calls"]
    tool_calls: list[CallDelta]


class StepDelta(Shape):
    """More of a step's details."""

    step_details: ToolCallsDelta


class RunStepDeltaObject(Shape):
    """What has come to a step."""

    id: str
    object: Literal["thread.run.step.delta"]
    delta: StepDelta


_BEGINNING: Final = ("created", "in_progress")
_ENDINGS: Final = ("completed", "failed", "cancelled", "expired")
_OF_RUNS: Final = (*_BEGINNING, "queued", "requires_action", "incomplete", "cancelling", *_ENDINGS)
_OF_STEPS: Final = (*_BEGINNING, *_ENDINGS)
_OF_MESSAGES: Final = (*_BEGINNING, "completed", "incomplete")

STREAM: Final[Mapping[str, Any]] = {
    "thread.created": ThreadObject,
    **{f"thread.run.{name}": RunObject for name in _OF_RUNS},
    **{f"thread.run.step.{name}": RunStepObject for name in _OF_STEPS},
    "thread.run.step.delta": RunStepDeltaObject,
    **{f"thread.message.{name}": MessageObject for name in _OF_MESSAGES},
    "thread.message.delta": MessageDeltaObject,
    "error": ErrorResponse,
    "done": Literal["[DONE]"],
}
"""What comes under each name."""
