"""What those who stream a run are told of one claim, in order, and how it is sent to their slots.

The log is kept for the whole claim: whoever joins in the middle gets all of it. Pieces have the shape of the contract
`run-delta.produced`. Losing one costs a reader a look at the database, never the text.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import structlog
from run_engine.domain.objects import Json, Run
from run_engine.store.streams import StoredEvent

from run_orchestrator.application.reply import Fragment

_logger = structlog.get_logger(__name__)

RECORD_SIZE: Final = 150_000
"""Characters in one record, with what stands around the text. Kafka takes a megabyte; JSON, six bytes a character."""
OF_A_PIECE: Final = 500
"""Characters that stand around the text of a piece, at the most: ids and names."""
OF_AN_EVENT: Final = 1_000
OF_A_FRAGMENT: Final = 10
"""What a text counts for at least, so that no record takes more than a few milliseconds to put together."""
PAUSE_SECONDS: Final = 0.5
"""After a record that could not be sent."""


class _Text(NamedTuple):
    """Text of one part of a step, and what was said of that part before."""

    step_id: str
    offset: int
    fragment: Fragment


class DeltaLog:
    """The log of one claim. `slots` are those it is sent to; without one, nothing is written into it."""

    def __init__(self, run: Run) -> None:
        self.slots = run.stream_slots
        self.seq = run.seq
        """The last event of the run that this worker knows of."""
        self.ended = False
        """Nothing will be added any more."""
        self._owner = {"tenant_id": run.tenant_id, "run_id": run.id}
        self._entries: list[_Text | dict[str, Any]] = []
        self._lengths: dict[tuple[str, str | int], int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def event(self, event: StoredEvent) -> None:
        """Adds a copy of an event that was committed."""
        self.seq = event.seq
        self._entries.append(
            {
                **self._owner,
                "event": {
                    "seq": event.seq,
                    "type": event.type,
                    "subject": event.subject,
                    "data": event.data,
                    "created_at": event.created_at.isoformat(),
                },
            }
        )

    def committed(self) -> None:
        """Adds that the run has one event more than is known here, at least: what it is, the database tells."""
        self.seq += 1
        self._entries.append({**self._owner, "seq": self.seq})

    def claimed(self, event: Json) -> None:
        """Adds a copy of the event of the claim."""
        self._entries.append({**self._owner, "event": event})

    def text(self, step_id: str, fragment: Fragment) -> None:
        """Adds what comes next of one part of a step."""
        place = (step_id, fragment.part)
        offset = self._lengths.get(place, 0)
        self._lengths[place] = offset + len(fragment.text)
        most = RECORD_SIZE - OF_A_PIECE
        for start in range(0, max(1, len(fragment.text)), most):
            piece = fragment._replace(
                text=fragment.text[start : start + most], call=fragment.call if start == 0 else None
            )
            self._entries.append(_Text(step_id, offset + start, piece))

    def pieces(self, start: int, room: int) -> tuple[list[dict[str, Any]], int, int]:
        """The pieces from the entry `start` on, the entry after them, and their size, which is `room` at the most.

        Texts that follow each other become one piece. Every entry fits into the room of a whole record.
        """
        pieces: list[dict[str, Any]] = []
        texts: list[str] = []
        size, end, last = 0, start, None
        while end < len(self._entries):
            entry = self._entries[end]
            if not isinstance(entry, _Text):
                if size + OF_AN_EVENT > room:
                    break
                size, end, last = size + OF_AN_EVENT, end + 1, None
                pieces.append(entry)
                continue
            fragment = entry.fragment
            continues = last == (entry.step_id, fragment.part) and fragment.call is None
            weight = max(len(fragment.text), OF_A_FRAGMENT) if continues else len(fragment.text) + OF_A_PIECE
            if size + weight > room:
                break
            size, end = size + weight, end + 1
            if continues:
                texts.append(fragment.text)
                continue
            texts, last = [fragment.text], (entry.step_id, fragment.part)
            piece: dict[str, Any] = {
                **self._owner,
                "step_id": entry.step_id,
                "part": fragment.part,
                "offset": entry.offset,
                "text": texts,
            }
            if fragment.call is not None:
                piece["call"] = {"id": fragment.call.id, "name": fragment.call.name}
            pieces.append(piece)
        for piece in pieces:
            if "text" in piece:
                piece["text"] = "".join(piece["text"])
        return pieces, end, size


Send = Callable[[int, Sequence[Any]], Awaitable[bool]]
"""Sends pieces to a slot and waits for the acknowledgement; False when they may not have arrived."""


class DeltaSenders:
    """One sender a slot. `wake` tells of a log that has something new, or a new slot; it costs next to nothing."""

    def __init__(self, send: Send, pause: Callable[[float], Awaitable[None]]) -> None:
        self._send = send
        self._pause = pause
        self._senders: dict[int, _Sender] = {}

    def wake(self, log: DeltaLog) -> None:
        """Has the log's news sent to all of its slots."""
        for slot in log.slots:
            sender = self._senders.get(slot)
            if sender is None:
                sender = self._senders[slot] = _Sender(slot, self._send, self._pause)
            sender.wake(log)

    async def drain(self) -> None:
        """Waits until everything that was told is sent, or cannot be."""
        await asyncio.gather(*(sender.drain() for sender in self._senders.values()))


class _Sender:
    """Sends to one slot: one record is in flight, and what arrives meanwhile, of all runs, joins the next one.

    So records become fewer and larger by themselves when there is much to send.
    """

    def __init__(self, slot: int, send: Send, pause: Callable[[float], Awaitable[None]]) -> None:
        self._slot = slot
        self._send = send
        self._pause = pause
        self._places: WeakKeyDictionary[DeltaLog, int] = WeakKeyDictionary()
        # A dictionary serves as an ordered set: whoever waits longest is sent first.
        self._waiting: dict[DeltaLog, None] = {}
        self._task: asyncio.Task[None] | None = None

    def wake(self, log: DeltaLog) -> None:
        self._waiting[log] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"deltas-{self._slot}")

    async def drain(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._waiting:
            pieces: list[Any] = []
            reached: dict[DeltaLog, int] = {}
            room = RECORD_SIZE
            for log in list(self._waiting):
                if room <= OF_A_PIECE:
                    break
                del self._waiting[log]
                news, reached[log], size = log.pieces(self._places.get(log, 0), room)
                pieces += news
                room -= size
                if reached[log] < len(log):
                    self._waiting[log] = None
            arrived = not pieces or await self._sent(pieces)
            for log, place in reached.items():
                self._note(log, place, arrived)
            if not arrived:
                await self._pause(PAUSE_SECONDS)

    async def _sent(self, pieces: Sequence[Any]) -> bool:
        try:
            return await self._send(self._slot, pieces)
        except Exception as error:  # noqa: BLE001 - it is a gap, and must not hold up all runs of the slot
            _logger.error("deltas cannot be sent", action="deltas_fault", slot=self._slot, error=type(error).__name__)
            return True

    def _note(self, log: DeltaLog, place: int, arrived: bool) -> None:
        # A run that is over is not worth another try: all of it is in the database.
        if log.ended and (not arrived or place == len(log)):
            self._places.pop(log, None)
            self._waiting.pop(log, None)
        elif arrived:
            self._places[log] = place
        else:
            self._waiting[log] = None
