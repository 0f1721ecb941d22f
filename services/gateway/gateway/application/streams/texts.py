"""The text of an answer as it is written, and nothing else. Used by the dialects whose streams are raw text."""

from collections.abc import AsyncGenerator
from typing import Final

from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus

from gateway.application.streams.readings import Reading
from gateway.application.streams.telling import MessageTold, RunTold, StepTold, TextTold, Told

BETWEEN_MESSAGES: Final = "\n\n"
"""What a run says beside its calls, and what it says afterwards, are two messages: two paragraphs of one text."""

_NOT_FAILED: Final = frozenset({RunStatus.COMPLETED, RunStatus.INCOMPLETE, RunStatus.CANCELLED})
"""Ends that nothing is said of. Whoever reads has stopped the answer, and knows it."""


class AnswerFailed(Exception):
    """The answer will not become whole. What was given of it so far is all there is."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} has not answered")
        self.run = run
        """The run, as it was told last. It may go on: then another worker begins again what was given already."""


async def texts(reading: Reading) -> AsyncGenerator[str, None]:
    """Give the pieces of the answer's text; what has come meanwhile is one piece.

    Raises `AnswerFailed`, and what `Reading.told` raises. The reading is still the caller's to close.
    """
    answer = _Answer()
    while not reading.ended:
        piece = answer.text_of(await reading.told())
        if piece:
            yield piece
        if answer.lost and answer.run is not None:
            raise AnswerFailed(answer.run)


class _Answer:
    """What one reader has been told of an answer."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self._message_id: str | None = None
        self._cut = False
        self._begun_again = False

    @property
    def lost(self) -> bool:
        """Whether nothing can follow that would belong to what was given."""
        if self.run is None:
            return False
        return self._begun_again or (self.run.status.ended and self.run.status not in _NOT_FAILED)

    def text_of(self, told: list[Told]) -> str:
        """Take in what was told; return its text."""
        pieces: list[str] = []
        for each in told:
            match each:
                case TextTold() if not self._cut:
                    if self._message_id not in {None, each.message_id}:
                        pieces.append(BETWEEN_MESSAGES)
                    self._message_id = each.message_id
                    pieces.append(each.text)
                case MessageTold(name="incomplete", message=message) if message.id == self._message_id:
                    # It lost its worker, or the run has failed; which of both, the next event tells.
                    self._cut = (message.incomplete_details or {}).get("reason") == "run_failed"
                case StepTold(name="created"):
                    self._begun_again = self._cut
                case RunTold():
                    self.run = each.run
        return "".join(pieces)
