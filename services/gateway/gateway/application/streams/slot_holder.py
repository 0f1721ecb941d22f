"""Holds one slot for this gateway, and reads it: takes another one when it is lost. Built and used by `hub`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from run_engine.errors import DatabaseUnavailable

from gateway.application.streams.ports import Hear, OpenTail, SlotStore, Tail

log = structlog.get_logger(__name__)

LOOK: Final = 2.0
"""Seconds between two looks whether the slot is ours. It is lost only when the process was silent for a whole lease."""


class SlotHolder:
    """Holds a slot from `start()` to `stop()`. `changed` is told when there is another one that can be used."""

    def __init__(
        self,
        slots: SlotStore,
        open_tail: OpenTail,
        *,
        hear: Hear,
        changed: Callable[[], None],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self.slot: int | None = None
        """The slot, while everything that is sent to it is heard; None without one."""
        self._slots = slots
        self._open_tail = open_tail
        self._hear = hear
        self._changed = changed
        self._pause = pause
        self._held: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. The process must be registered, for the slot is leased by its liveness row."""
        self._task = asyncio.create_task(self._run(), name="stream-slot")

    async def stop(self) -> None:
        """Stop reading and give the slot back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._give_back()

    async def _run(self) -> None:
        while True:
            try:
                await self._hold(await self._take())
            except Exception as error:  # noqa: BLE001 - without a slot streams have no text until they end
                log.error("holding a slot failed", action="stream_slot_fault", error=type(error).__name__)
                await self._give_back()
                await self._pause(LOOK)

    async def _give_back(self) -> None:
        if self._held is not None:
            with suppress(DatabaseUnavailable):
                await self._slots.release(self._held)
            self._held = None

    async def _take(self) -> int:
        while True:
            with suppress(DatabaseUnavailable):
                slot = await self._slots.take()
                if slot is not None:
                    return slot
                log.warning("no slot is free: streams show their text at its end", action="no_stream_slot")
            await self._pause(LOOK)

    async def _hold(self, slot: int) -> None:
        """Read the slot until it is lost."""
        self._held = slot
        tail = await self._open_tail(slot, self._hear)
        using = asyncio.create_task(self._use(slot, tail), name="stream-slot-ready")
        try:
            while await self._is_ours(slot):
                await self._pause(LOOK)
            log.warning("the slot was lost", action="stream_slot_lost", slot=slot)
        finally:
            self.slot = None
            using.cancel()
            await asyncio.gather(using, return_exceptions=True)
            await tail.stop()
        self._held = None

    async def _use(self, slot: int, tail: Tail) -> None:
        await tail.ready()
        self.slot = slot
        log.info("streams are sent to a slot", action="stream_slot_taken", slot=slot)
        self._changed()

    async def _is_ours(self, slot: int) -> bool:
        try:
            return await self._slots.keep(slot)
        except DatabaseUnavailable:
            # Nobody can take it away either.
            return True
