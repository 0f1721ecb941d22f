"""What this gateway knows of one run that is read: its events in order, and the text of its steps. Pure.

Fed by `hub` from the slot and from the database, read by any number of narrations.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from run_engine.domain.objects import Run, RunStep

from gateway.application.streams.happenings import Happening, happening
from gateway.application.streams.step_text import Call, Part, StepText

MOST_WAITING: Final = 262_144
"""Code points that are kept of a step whose event is not here yet. The event is a second away, so this is plenty."""
MOST_STEPS_WAITING: Final = 4
MOST_EARLY: Final = 16
"""Events that are kept until those before them are here. Whatever is not kept is read from the database."""
_NOTHING: Final = StepText()


class RunLog:
    """The log of one run. Nothing is told of it before it has begun."""

    def __init__(self) -> None:
        self.run: Run | None = None
        """The run as it was when the log began: what never changes of it is read from here."""
        self.happenings: list[Happening] = []
        self.seq = 0
        """The last event that is here; all before it are, too."""
        self.promised = 0
        """The last event that is known to be stored."""
        self.ended = False
        """The run is over, and all of its events are here."""
        self._early: dict[int, tuple[str, Mapping[str, Any]]] = {}
        self._texts: dict[str, StepText] = {}
        self._opened: set[str] = set()
        self._closed: set[str] = set()

    @property
    def behind(self) -> bool:
        """Whether the database has something that is not here."""
        return self.promised > self.seq

    def begin(self, run: Run, happenings: Sequence[Happening]) -> None:
        """Begin with a run and what has happened to it so far, in order.

        Several happenings may share a number: those that no event tells of (`replay`).
        """
        self.run = run
        for each in happenings:
            self._append(each)

    def conclude(self, run: Run) -> None:
        """Note that the run has ended without an event that says so."""
        self._append(Happening(max(self.seq, run.seq), run.status.value, run))

    def event(self, seq: int, type_: str, data: Mapping[str, Any]) -> bool:
        """Take an event; return whether it is the next one. One that is too early waits for those before it."""
        self.promised = max(self.promised, seq)
        if self.run is None or seq != self.seq + 1:
            if seq > self.seq and len(self._early) < MOST_EARLY:
                self._early[seq] = (type_, data)
            return False
        while True:
            self._append(happening(self.run, seq, type_, data))
            self._early.pop(seq, None)
            seq += 1
            if seq not in self._early:
                return True
            type_, data = self._early[seq]

    def promise(self, seq: int) -> None:
        """Note that the events up to `seq` are stored."""
        self.promised = max(self.promised, seq)

    def text(self, step_id: str, part: Part, offset: int, text: str, call: Call | None = None) -> bool:
        """Take a piece of a step's text; return whether there is anything new to tell."""
        if step_id in self._closed:
            return False
        known = self._texts.get(step_id)
        if known is None:
            known = self._texts[step_id] = StepText()
        opened = step_id in self._opened
        if not opened:
            if known.size + len(text) > MOST_WAITING:
                return False
            waiting = [each for each in self._texts if each not in self._opened and each not in self._closed]
            if len(waiting) > MOST_STEPS_WAITING:
                del self._texts[waiting[0]]
        return known.add(part, offset, text, call) and opened

    def text_of(self, step_id: str) -> StepText:
        """Return what is known of a step's text. Of a step whose text is stored as a whole, that is nothing."""
        return self._texts.get(step_id, _NOTHING)

    def _append(self, each: Happening) -> None:
        self.happenings.append(each)
        self.seq = each.seq
        self.promised = max(self.promised, each.seq)
        subject = each.subject
        if isinstance(subject, RunStep):
            self._note_step(each.name, subject)
        elif isinstance(subject, Run):
            self.ended = subject.status.ended

    def _note_step(self, name: str, step: RunStep) -> None:
        if name == "created" and not step.tool_calls:
            self._opened.add(step.id)
            return
        self._closed.add(step.id)
        if name in {"created", "in_progress", "completed"}:
            # The events hold all of it. What a step has written that failed is nowhere else.
            self._texts.pop(step.id, None)
