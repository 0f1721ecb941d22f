"""The values that the rules produce and the wire carries."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asks for; `arguments` is JSON text. The id is given when it is sent, unless one is set."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: text, or calls, or both."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
