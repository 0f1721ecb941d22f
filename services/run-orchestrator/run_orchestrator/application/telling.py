"""Tells those who stream a run of a reply while it is written: opens its steps and adds its text to the log.

Used by `work` for each reply of a model. Where nobody streams, nothing is opened, and one commit at the end writes all,
also when the end is a cancellation.
"""

from collections.abc import Callable, Collection
from itertools import takewhile
from typing import Final

from run_engine.domain.objects import Json, Run
from run_engine.store.driving import Said

from run_orchestrator.application.delta_log import DeltaLog
from run_orchestrator.application.ending import content_of
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.patience import Patience
from run_orchestrator.application.ports import RunStore
from run_orchestrator.application.reply import Fragment, ReplyBuilder

ABANDONED: Final = "The model's reply could not be used; it is asked again."


class Telling:
    """One reply of a model to a run, as it is told. The ids are those that the end of the reply goes on with."""

    def __init__(
        self,
        run: Run,
        store: RunStore,
        log: DeltaLog,
        *,
        wake: Callable[[DeltaLog], None],
        patience: Patience,
        new_id: Callable[[str], str],
    ) -> None:
        self._run = run
        self._store = store
        self._log = log
        self._wake = wake
        self._patience = patience
        self._new_id = new_id
        self._told = 0
        self._reply: ReplyBuilder | None = None
        self._writing: list[Fragment] = []
        self._blank: list[Fragment] = []
        """What came before the first word."""
        self.message_step_id = new_id("step")
        self.message_id = new_id("message")
        self.calls_step_id = new_id("step")
        self.message_open = False
        self.message_done = False
        """The message is complete: tools are called after it."""
        self.calls_open = False

    async def tell(self, reply: ReplyBuilder, offered: Collection[str]) -> None:
        """Tells what has come since the last time, if anybody listens. `offered` are the functions that may be called.

        Raises `Fenced`, and `ModelFailure` for a call of another function.
        """
        self._reply = reply
        if not self._log.streamed or self._told == len(reply.fragments):
            return
        for fragment in reply.fragments[self._told :]:
            self._told += 1
            if isinstance(fragment.part, int):
                if fragment.call is not None and fragment.call.name not in offered:
                    raise ModelFailure(FailureKind.UNUSABLE_REPLY, "The model called a function that the run lacks.")
                if not self.calls_open:
                    await self._open_calls()
                self._log.text(self.calls_step_id, fragment)
            elif not self.message_done and not self.calls_open:
                await self._write(fragment)
        self._wake(self._log)

    def said(self) -> list[Json] | None:
        """The content of the open message so far; None where no message is open."""
        return content_of(*_joined(self._writing)) if self.message_open and not self.message_done else None

    def untold(self) -> Said | None:
        """What was written while nobody listened; None where a step was begun, or there is no word of a message."""
        if self._reply is None or self.message_open or self.message_done or self.calls_open:
            return None
        # A message comes before the calls, or not at all.
        written = list(takewhile(lambda fragment: not isinstance(fragment.part, int), self._reply.fragments))
        text, refusal = _joined(written)
        if not (text + refusal).strip():
            return None
        return Said(step_id=self.message_step_id, message_id=self.message_id, content=content_of(text, refusal))

    async def abandon_calls(self) -> None:
        """Fails the open step of the calls, if there is one: they are not made."""
        if self.calls_open:
            await self.abandon()

    async def abandon(self) -> None:
        """Fails the open step: what was written of this reply does not count."""
        self._reply = None
        if self.calls_open or (self.message_open and not self.message_done):
            await self._patience.read(lambda: self._store.abandon_step(self._run, ABANDONED))
            self._log.committed()
            self._wake(self._log)
            self.calls_open = self.message_open = False

    async def _write(self, fragment: Fragment) -> None:
        """Tells what comes next of the message. What has no word yet may be no message: models break lines first."""
        if not self.message_open:
            self._blank.append(fragment)
            if not fragment.text.strip():
                return
            await self._open(self.message_step_id, self.message_id)
            self.message_open = True
            told, self._blank = self._blank, []
        else:
            told = [fragment]
        self._writing += told
        for each in told:
            self._log.text(self.message_step_id, each)

    async def _open_calls(self) -> None:
        said = self.said()
        if said is not None:
            message = Said(step_id=self.message_step_id, message_id=self.message_id, content=said)
            await self._patience.read(lambda: self._store.say(self._run, message))
            self.message_done = True
            self._log.committed()
        await self._open(self.calls_step_id, None)
        self.calls_open = True

    async def _open(self, step_id: str, message_id: str | None) -> None:
        event = await self._patience.read(lambda: self._store.open_step(self._run, step_id, message_id))
        if event is None:
            self._log.committed()
        else:
            self._log.event(event)


def _joined(fragments: list[Fragment]) -> tuple[str, str]:
    text = "".join(fragment.text for fragment in fragments if fragment.part == "text")
    return text, "".join(fragment.text for fragment in fragments if fragment.part == "refusal")
