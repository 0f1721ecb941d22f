"""A model's reply, put together from the pieces in which it is streamed. Pure.

The model adapter makes the pieces, `work` feeds them into a `ReplyBuilder` and reads the whole from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from run_engine.domain.objects import Usage

from run_orchestrator.application.failures import FailureKind, ModelFailure

LONGEST_REPLY: Final = 4_000_000
"""Characters of one reply, text and arguments together: a model that never stops must not eat the memory of all runs.
A reply of 128 000 tokens, the most that models give today, has about half a million."""


class CallPiece(NamedTuple):
    """A piece of a function call. `place` is its index among the reply's calls, `given_id` the model's own id for it.

    Servers differ in what they send: some give no index, some give every call the index 0, some repeat id and name.
    """

    place: int | None = None
    given_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class Piece(NamedTuple):
    """What one chunk of the stream adds."""

    text: str | None = None
    refusal: str | None = None
    calls: tuple[CallPiece, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """One call that the model asks for, under an id of ours: models repeat theirs from round to round."""

    id: str
    name: str
    arguments: str
    """JSON text as the model wrote it, which need not be JSON."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply. `finish_reason` is the server's word, None when it gave none."""

    text: str
    refusal: str
    calls: tuple[FunctionCall, ...]
    finish_reason: str | None
    usage: Usage


class CallBegins(NamedTuple):
    """The call that a fragment begins."""

    id: str
    name: str


class Fragment(NamedTuple):
    """A piece of the reply as it is kept: what comes next of its text, of its refusal, or of a call by its place."""

    part: Literal["text", "refusal"] | int
    text: str
    call: CallBegins | None = None
    """Of a call's first fragment."""


class _Call:
    """A call that is still being written."""

    __slots__ = ("begun", "given_id", "id", "name", "place")

    def __init__(self, call_id: str, place: int) -> None:
        self.id = call_id
        self.place = place
        self.given_id: str | None = None
        self.name = ""
        self.begun = False
        """Whether it has a fragment. Names come in pieces too, so a call begins with the first of its arguments."""


class ReplyBuilder:
    """Takes pieces in the order of the stream; however a reply is cut into pieces, the result is the same.

    `fragments` are all of it so far, in order and as text that PostgreSQL and UTF-8 can hold.
    """

    def __init__(self, new_call_id: Callable[[], str]) -> None:
        self.fragments: list[Fragment] = []
        self._new_call_id = new_call_id
        # Half of a surrogate pair, by part: JSON may bring the two halves of a character in two chunks.
        self._halves: dict[str | int, str] = {}
        self._calls: list[_Call] = []
        self._by_place: dict[int, _Call] = {}
        self._finish_reason: str | None = None
        self._usage = Usage()
        self._length = 0

    def add(self, piece: Piece) -> None:
        """Takes the next piece. Raises `ModelFailure` when the reply becomes longer than `LONGEST_REPLY`."""
        if piece.text:
            self._write("text", piece.text)
        if piece.refusal:
            self._write("refusal", piece.refusal)
        for call in piece.calls:
            self._add_call(call)
        if piece.finish_reason is not None:
            self._finish_reason = piece.finish_reason
        if piece.usage is not None:
            self._usage = piece.usage

    def end(self) -> Reply:
        """The whole reply. Nothing can be added any more: what was held back is among the fragments now."""
        for call in self._calls:
            self._begin(call)
        for part, half in self._halves.items():
            self.fragments.append(Fragment(part, _storable(half)))  # type: ignore[arg-type]  # a key is a part
        self._halves.clear()
        texts: dict[str | int, list[str]] = {}
        for fragment in self.fragments:
            texts.setdefault(fragment.part, []).append(fragment.text)
        joined = {part: "".join(pieces) for part, pieces in texts.items()}
        return Reply(
            text=joined.get("text", ""),
            refusal=joined.get("refusal", ""),
            calls=tuple(FunctionCall(call.id, _storable(call.name), joined[call.place]) for call in self._calls),
            finish_reason=self._finish_reason,
            usage=self._usage,
        )

    def _add_call(self, piece: CallPiece) -> None:
        call = self._call_of(piece)
        if piece.given_id and call.given_id is None:
            call.given_id = piece.given_id
        if piece.name and piece.name != call.name:
            call.name += piece.name
            self._grow(len(piece.name))
        if piece.arguments:
            self._begin(call)
            self._write(call.place, piece.arguments)

    def _call_of(self, piece: CallPiece) -> _Call:
        """The call that a piece goes on with; a new one where it begins one."""
        last = self._calls[-1] if self._calls else None
        current = last if piece.place is None else self._by_place.get(piece.place)
        if current is None or _begins_another(piece, current):
            if last is not None:
                self._begin(last)
            current = _Call(self._new_call_id(), len(self._calls))
            self._calls.append(current)
            if piece.place is not None:
                self._by_place[piece.place] = current
        return current

    def _begin(self, call: _Call) -> None:
        if not call.begun:
            call.begun = True
            self.fragments.append(Fragment(call.place, "", CallBegins(call.id, _storable(call.name))))

    def _write(self, part: Literal["text", "refusal"] | int, text: str) -> None:
        self._grow(len(text))
        text = self._halves.pop(part, "") + text
        if "\ud800" <= text[-1] <= "\udbff":
            self._halves[part] = text[-1]
            text = text[:-1]
        if text:
            self.fragments.append(Fragment(part, _storable(text)))

    def _grow(self, characters: int) -> None:
        self._length += characters
        if self._length > LONGEST_REPLY:
            raise ModelFailure(
                FailureKind.UNUSABLE_REPLY, f"The model's reply is longer than {LONGEST_REPLY} characters."
            )


def _begins_another(piece: CallPiece, current: _Call) -> bool:
    """Whether a piece at a used place is a call of its own: it brings another id, and a name."""
    return bool(piece.given_id and piece.name and current.given_id and piece.given_id != current.given_id)


def _storable(text: str) -> str:
    """`text` without what cannot be stored: the character 0, and halves of surrogate pairs that found no partner."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\x00", "\ufffd")
