"""Sends the logs of runs to the slots that stream them, one record a slot at a time. Built by `bootstrap`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog

from run_orchestrator.application.delta_log import OF_A_PIECE, RECORD_SIZE, DeltaLog

_logger = structlog.get_logger(__name__)

PAUSE_SECONDS: Final = 0.5
"""After a record that could not be sent."""

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
