"""The world of the hub in memory: database, slots, bus and time. Used by the gateway's tests of streams and waits."""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.application.streams.ports import Hear
from run_engine.errors import DatabaseUnavailable
from run_engine.store.streams import RunState, StoredEvent
from stream_scripts import NOW, RUN, Sent, Stored


class World:
    """The database, the slots and the bus, in memory."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.stored: list[StoredEvent] = []
        self.away = False
        self.gone = False
        self.run = RUN
        self.asked: list[list[tuple[str, str, int]]] = []
        self.verified: list[list[tuple[str, str]]] = []
        self.added: list[tuple[int, list[tuple[str, str]]]] = []
        self.free = [7, 8, 9]
        self.ours: set[int] = set()
        self.tails: dict[int, Hear] = {}
        self.bus = asyncio.Event()
        self.bus.set()
        self.reading = asyncio.Event()
        self.reading.set()
        self.deaf = False
        self.pausing = asyncio.Condition()
        self.pauses = 0
        self.steps = asyncio.Semaphore(0)

    # The stores.

    async def news(self, positions: Sequence[tuple[str, str, int]]) -> Sequence[StoredEvent]:
        self.asked.append(list(positions))
        await self.reading.wait()
        self._reach()
        known = {(tenant, run): seq for tenant, run, seq in positions}
        return [event for event in self.stored if event.seq > known.get((event.tenant_id, event.run_id), 10**9)]

    async def states(self, runs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], RunState]:
        self.verified.append(list(runs))
        self._reach()
        return {} if self.gone else {key: RunState(self.run.seq, self.run.status) for key in runs}

    async def add_slots(self, slot: int, runs: Sequence[tuple[str, str]]) -> None:
        self._reach()
        self.added.append((slot, list(runs)))

    async def take(self) -> int | None:
        self._reach()
        if not self.free:
            return None
        self.ours.add(self.free[0])
        return self.free.pop(0)

    async def keep(self, slot: int) -> bool:
        self._reach()
        return slot in self.ours

    async def release(self, slot: int) -> None:
        self.ours.discard(slot)

    async def get(self, _tenant: str, _thread: str, run_id: str) -> Any:
        self._reach()
        assert self.run.id == run_id
        return self.run

    async def list_steps(self, *_: Any) -> Any:
        raise AssertionError("no test here needs the objects of a run")

    def _reach(self) -> None:
        if self.away:
            raise DatabaseUnavailable("away")

    # The bus.

    async def open_tail(self, slot: int, hear: Hear) -> Any:
        if self.deaf:
            raise OSError("no reader")
        self.tails[slot] = hear
        world = self

        class Tail:
            async def ready(self) -> None:
                await world.bus.wait()

            async def stop(self) -> None:
                del world.tails[slot]

        return Tail()

    def commit(self, *items: Stored | Sent, run_id: str = RUN.id) -> None:
        for item in items:
            if isinstance(item, Stored):
                self.stored.append(StoredEvent("tenant", run_id, item.seq, item.type, item.subject, item.data, NOW))

    # Time.

    async def pause(self, _seconds: float) -> None:
        async with self.pausing:
            self.pauses += 1
            self.pausing.notify_all()
        await self.steps.acquire()

    async def pass_pauses(self, count: int) -> None:
        """Let whoever pauses now go on, and wait until as many pause again."""
        async with asyncio.timeout(5), self.pausing:
            before = self.pauses
            for _ in range(count):
                self.steps.release()
            await self.pausing.wait_for(lambda: self.pauses >= before + count)


def piece(item: Stored | Sent, run_id: str = RUN.id) -> dict[str, Any]:
    owner = {"tenant_id": "tenant", "run_id": run_id}
    if isinstance(item, Stored):
        event = {"seq": item.seq, "type": item.type, "subject": item.subject, "data": item.data, "created_at": ""}
        return owner | {"event": event}
    call = {} if item.call is None else {"call": {"id": item.call[0], "name": item.call[1]}}
    text = {"step_id": item.step_id, "part": item.part, "offset": item.offset, "text": item.text}
    return owner | text | call
