"""The pieces of an answer's text, out of all that a reader of a run is told. Pure. Used by the streamed run."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from run_engine.domain.objects import Message, Run
from run_engine.domain.status import RunStatus

from gateway.application.streams.telling import MessageTold, RunTold, StepTold, TextTold, Told


class Piece(NamedTuple):
    """What comes next of a message."""

    message_id: str
    created_at: datetime
    """When the message was begun."""
    text: str


class Pieces:
    """One reader's way through an answer.

    `known` is the last event of the run when the reader came: what it has waited for until then is over, and so is
    what was written before that.
    """

    def __init__(self, known: int) -> None:
        self.ended: Run | None = None
        """The run, once it has answered or waits for its client."""
        self._known = known
        self._begun: dict[str, datetime] = {}
        self._told: set[str] = set()
        self._cut = False

    def of(self, told: Sequence[Told]) -> Iterator[Piece]:
        """Return the pieces in what was told. Raises `BegunAgain` where what follows would not belong to them."""
        for each in told if self._told else told[_beginning(told, self._known) :]:
            match each:
                case MessageTold(name="created", message=message):
                    self._begun[message.id] = message.created_at
                case TextTold(message_id=message_id, text=text) if text:
                    self._told.add(message_id)
                    yield Piece(message_id, self._begun[message_id], text)
                case MessageTold(name="incomplete", message=message) if message.id in self._told:
                    # It lost its worker, or the run has failed; which of both, the next event tells.
                    self._cut = _was_cut(message)
                case RunTold(place=place, run=run):
                    waits = run.status is RunStatus.REQUIRES_ACTION and place.seq >= self._known
                    if waits or run.status.ended:
                        self.ended = run
                case StepTold(name="created", step=step) if self._cut:
                    raise BegunAgain(step.run_id)


class BegunAgain(Exception):
    """Another worker begins the answer again, of which the reader has a part."""


def _beginning(told: Sequence[Told], known: int) -> int:
    """Return where the answer begins in what is told to somebody who was given nothing yet.

    That is after the last wait for the client before `known`, and after what was written and then begun again.
    """
    start, cut = 0, False
    for number, each in enumerate(told):
        match each:
            case RunTold(place=place, run=run) if run.status is RunStatus.REQUIRES_ACTION and place.seq < known:
                start, cut = number + 1, False
            case MessageTold(name="incomplete", message=message):
                cut = _was_cut(message)
            case StepTold(name="created") if cut:
                start, cut = number, False
    return start


def _was_cut(message: Message) -> bool:
    return (message.incomplete_details or {}).get("reason") == "run_failed"
