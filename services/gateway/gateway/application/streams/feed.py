"""One run that is read in this gateway: its log, who listens, what the database has to be asked. Used by `hub`."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from run_engine.domain.objects import Run

from gateway.application.streams.run_log import RunLog
from gateway.application.streams.step_text import Call

_TEXTS: Final = ("text", "refusal")


class Listener:
    """One reader, as its feed knows it: how it is woken. Without `text`, it is one that waits for news of the run."""

    def __init__(self, now: float, *, text: bool) -> None:
        self.text = text
        """Whether it reads the text, and has a client that needs signs of life."""
        self.heard = now
        """When it was told something last."""
        self.overdue = False
        """It was told nothing for so long that its client needs a sign of life."""
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There may be something new."""
        self._news.set()

    async def news(self) -> None:
        """Return when it was woken since the last time."""
        await self._news.wait()
        self._news.clear()


class Feed:
    """What comes in about one run."""

    def __init__(self, tenant_id: str, run_id: str, now: float) -> None:
        self.tenant_id = tenant_id
        self.run_id = run_id
        self.log = RunLog()
        self.listeners: set[Listener] = set()
        self.failure: Exception | None = None
        """Why nothing more will come, if so."""
        self.text = False
        """Whether there was ever somebody who reads the text."""
        self.slot: int | None = None
        """What the run was told of this gateway: the slot for its text, or for news alone (`domain.stream_slots`)."""
        self.joined: Run | None = None
        """The run, as somebody found it who came to it later: what has happened so far has to be read."""
        self.asked = 0
        """The last event that was known to be stored when the database was asked last."""
        self.stirred = now
        """When something came last."""
        self.looked = now
        """When the database was asked last."""
        self.verified = now
        """When the run was seen to exist last."""
        self.left = now
        """When the last listener went."""

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and run."""
        return self.tenant_id, self.run_id

    @property
    def waits(self) -> bool:
        """Whether somebody listens, and there is something to wait for."""
        known = self.log.run is not None or self.joined is not None
        return bool(self.listeners) and known and not self.log.ended and self.failure is None

    def wake(self) -> None:
        """Tell all listeners that there may be something new."""
        for listener in self.listeners:
            listener.wake()

    def take(self, piece: Mapping[str, Any]) -> bool:
        """Take one piece of a record; return whether there is something new to tell. Unknown kinds are passed over."""
        event, step_id = piece.get("event"), piece.get("step_id")
        if event is not None:
            return self.log.event(event["seq"], event["type"], event["data"])
        if step_id is not None:
            call, part = piece.get("call"), piece["part"]
            if part not in _TEXTS and not isinstance(part, int):
                return False
            begins = None if call is None else Call(call["id"], call["name"])
            return self.log.text(step_id, part, piece["offset"], piece["text"], begins)
        if "seq" in piece:
            self.log.promise(piece["seq"])
        return False
