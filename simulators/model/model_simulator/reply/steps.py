"""What a reply is made of while it is played: pieces that reach the client, and what happens between them."""

from dataclasses import dataclass
from uuid import uuid4

from model_simulator.answers.answer import Answer, ToolCall
from model_simulator.request import tokens


@dataclass(frozen=True, slots=True)
class Text:
    """One chunk of text."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegin:
    """The first chunk of a tool call: its place among the calls of the reply, id and function name."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """A piece of the arguments of the call at `index`."""

    index: int
    piece: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that go into a stream as they are: an error event, a comment, nonsense."""

    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Nothing until the gate of that name is released."""

    name: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is closed in the middle of the reply."""


Piece = Text | CallBegin | CallArguments
Wait = Pause | Gate
Step = Piece | Raw | Wait | Cut


def pieces_of(answer: Answer) -> list[Piece]:
    """Return an answer in chunks of one token each, as it is streamed."""
    pieces: list[Piece] = [Text(piece) for piece in tokens.pieces(answer.text)]
    for index, call in enumerate(answer.calls):
        pieces += pieces_of_call(call, index)
    return pieces


def pieces_of_call(call: ToolCall, index: int) -> list[Piece]:
    """Return a call's chunks: its begin, then its arguments in tokens."""
    begin = CallBegin(index, call.id or f"call_{uuid4().hex[:24]}", call.name)
    return [begin, *(CallArguments(index, piece) for piece in tokens.pieces(call.arguments))]
