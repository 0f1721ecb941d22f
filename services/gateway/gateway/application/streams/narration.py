"""One reader's way through the log of a run: what it is told next, from the place after which it asked. Pure.

Used by `readings`. A narration holds no text of its own. However a log came to be what it is (copies, repeats, gaps
that the database filled), and however often a reader comes back, what is told adds up to the same.
"""

from dataclasses import replace
from typing import Final

from run_engine.domain.objects import Message, Run, RunStep
from run_engine.domain.status import MessageStatus, RunStatus

from gateway.application.streams.happenings import Happening, Subject
from gateway.application.streams.run_log import RunLog
from gateway.application.streams.step_text import Passage, StepText, parts_of_calls, parts_of_content
from gateway.application.streams.telling import (
    ArgumentsTold,
    CallTold,
    EndTold,
    MessageTold,
    Place,
    RunTold,
    StepTold,
    TextTold,
    Told,
)

BEGINNING: Final = Place(-1, 0)
"""After this place everything is told."""
BEFORE_FIRST: Final = Place(0, 0)
"""After this place all events of a run are told; what no event tells of (`replay`) may lie before it."""


class _Open:
    """The step that is being written, with what was told of it."""

    __slots__ = ("base", "message", "step", "told", "written")

    def __init__(self, step: RunStep, message: Message | None) -> None:
        self.step = step
        self.message = message
        self.written = StepText()
        """All of its text, once nothing is added any more."""
        self.told = 0
        self.base = 0
        """`n` of a place in the text of the step, less what was told of it."""


class Narration:
    """Tells one reader of a run. `through_actions`: goes on where the client has to answer, instead of ending there."""

    def __init__(self, log: RunLog, after: Place = BEGINNING, *, through_actions: bool) -> None:
        self._log = log
        self._after = after
        self._through_actions = through_actions
        self._next = 0
        self._seq = -2
        self._n = -1
        self._first = True
        self._status: RunStatus | None = None
        self._open: _Open | None = None
        self.ended = False
        """Everything is told, and nothing will follow."""

    def told(self) -> list[Told]:
        """Return what is new since the last time."""
        out: list[Told] = []
        log = self._log
        if self.ended or log.seq < self._after.seq:
            return out
        happenings = log.happenings
        while self._next < len(happenings) and not self._over(out):
            self._next += 1
            self._happen(happenings[self._next - 1], out)
        self.ended = self._over(out)
        if self._open is not None:
            self._tell_text(self._open, log.text_of(self._open.step.id), out)
        return out

    def _happen(self, each: Happening, out: list[Told]) -> None:
        subject = each.subject
        closed = self._open if self._closes(each) else None
        if closed is not None:
            # What is missing of the text belongs to the event before, where it would have been told.
            subject = self._close(closed, subject, out)
        if each.seq != self._seq:
            self._seq, self._first = each.seq, True
            self._n = -1 if self._open is None else self._open.told - 1
        if isinstance(subject, Run):
            self._tell_run(subject, out)
        elif isinstance(subject, Message):
            self._tell(MessageTold(self._place(), each.name, subject), out)
        elif isinstance(subject, RunStep):
            if closed is not None and closed.message is not None:
                self._tell(MessageTold(self._place(), "incomplete", _cut(closed, subject)), out)
            self._tell_step(each.name, subject, out)
        if self._open is not None:
            self._go_on(self._open, out)

    def _tell_run(self, run: Run, out: list[Told]) -> None:
        # A run that waits for services alone is in progress to its reader, and what was in progress is not shown as
        # queued again: neither after its services have answered, nor when its worker was lost.
        status = RunStatus.IN_PROGRESS if run.status is RunStatus.AWAITING_TOOLS else run.status
        if self._status is None:
            self._tell(RunTold(self._place(), "created", run), out)
        elif status is self._status or (status is RunStatus.QUEUED and self._status is RunStatus.IN_PROGRESS):
            return
        self._status = status
        self._tell(RunTold(self._place(), status.value, run), out)
        if status.ended or self._is_for_client(status):
            out.append(EndTold(self._place()))

    @staticmethod
    def _over(out: list[Told]) -> bool:
        return bool(out) and isinstance(out[-1], EndTold)

    def _is_for_client(self, status: RunStatus) -> bool:
        return status is RunStatus.REQUIRES_ACTION and not self._through_actions and self._seq > self._after.seq

    def _tell_step(self, name: str, step: RunStep, out: list[Told]) -> None:
        if name == "created":
            shown = replace(step, tool_calls=()) if step.tool_calls else step
            self._tell(StepTold(self._place(), "created", shown), out)
            self._tell(StepTold(self._place(), "in_progress", shown), out)
            message = _begun(step)
            if message is not None:
                self._tell(MessageTold(self._place(), "created", message), out)
                self._tell(MessageTold(self._place(), "in_progress", message), out)
            self._open = _Open(step, message)
        elif name != "in_progress":
            self._tell(StepTold(self._place(), name, step), out)

    def _go_on(self, opened: _Open, out: list[Told]) -> None:
        """Count on in the text of the open step from the event that was told last."""
        opened.base = self._n - opened.told
        if self._seq == self._after.seq:
            opened.told = max(opened.told, self._after.n - opened.base)
        if opened.step.tool_calls:
            # Nobody streamed the run when the step was made, so it came with all of its calls.
            self._close(opened, opened.step, out)

    def _closes(self, each: Happening) -> bool:
        """Whether the text of the open step is whole now, or will never be."""
        subject, opened = each.subject, self._open
        if opened is None:
            return False
        if isinstance(subject, Message):
            return opened.message is not None and subject.id == opened.message.id
        return isinstance(subject, RunStep) and subject.id == opened.step.id

    def _close(self, opened: _Open, subject: Subject, out: list[Told]) -> Subject:
        """Tell the rest of the open step's text; return `subject` with what it lacks of what was told."""
        known = self._log.text_of(opened.step.id)
        if isinstance(subject, Message):
            text = known.finished(parts_of_content(subject.content))
            if text.size > sum(len(each) for _, each, _ in parts_of_content(subject.content)):
                subject = replace(subject, content=text.content())
        else:
            text = known.finished(parts_of_calls(subject.tool_calls) if isinstance(subject, RunStep) else ())
        self._tell_text(opened, text, out)
        self._n = opened.base + text.units()
        opened.written = text
        self._open = None
        return subject

    def _tell_text(self, opened: _Open, text: StepText, out: list[Told]) -> None:
        for passage in text.passages(opened.told):
            opened.told = passage.end
            if self._seq >= self._after.seq:
                out.append(_passage_told(opened, passage, Place(self._seq, opened.base + passage.end)))

    def _tell(self, told: Told, out: list[Told]) -> None:
        # An event in the middle of a text has another n for whoever knows more of the text, so it counts as a whole.
        known = told.place <= self._after or (self._first and told.place.seq == self._after.seq)
        self._first = False
        if not known:
            out.append(told)

    def _place(self) -> Place:
        self._n += 1
        return Place(self._seq, self._n)


def _passage_told(opened: _Open, passage: Passage, place: Place) -> Told:
    if passage.call is not None:
        return CallTold(place, opened.step.id, passage.number, passage.call.id, passage.call.name)
    if opened.message is None or isinstance(passage.part, int):
        return ArgumentsTold(place, opened.step.id, passage.number, passage.text)
    return TextTold(place, opened.message.id, passage.number, passage.part, passage.text, passage.offset == 0)


def _begun(step: RunStep) -> Message | None:
    """The empty message that a step begins with; no event of its own tells of it."""
    if step.message_id is None:
        return None
    return Message(
        id=step.message_id,
        thread_id=step.thread_id,
        created_at=step.created_at,
        status=MessageStatus.IN_PROGRESS,
        incomplete_details=None,
        completed_at=None,
        incomplete_at=None,
        role="assistant",
        content=[],
        assistant_id=step.assistant_id,
        run_id=step.run_id,
        attachments=[],
        metadata={},
    )


def _cut(opened: _Open, failed: RunStep) -> Message:
    """The message of a step that failed in the middle, as its reader knows it. It is stored no more."""
    message = opened.message or _begun(failed)
    if message is None:
        raise ValueError("a step without a message has no text that could be cut off")
    return replace(
        message,
        status=MessageStatus.INCOMPLETE,
        incomplete_details={"reason": "run_failed"},
        incomplete_at=failed.failed_at or failed.cancelled_at or failed.expired_at,
        content=opened.written.content(),
    )
