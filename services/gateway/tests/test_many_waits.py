"""Five hundred synchronous calls at once, on a real PostgreSQL and the bus: woken by what the worker sends alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from engine_world import answer, new_id, user
from event_bus import OutgoingRecord
from event_bus.in_process import InProcessBus
from gateway.adapters.delta_tail import tails_on
from gateway.application.runs import Runs
from gateway.application.streams.hub import Hub
from gateway.application.streams.replay import Replay
from gateway.application.waiting import Waiting
from message_contracts import Message, catalogue, codec
from run_engine.domain.drafts import NewRun, NewThread
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus
from run_engine.domain.stream_slots import for_news
from run_engine.errors import NotFound
from run_engine.lease import LEASE
from run_engine.process import EngineProcess
from run_engine.store import messages, runs, streams, threads
from run_engine.store.streams import StoredEvent, Streams

_WAITS = 500
_AT_ONCE = 20
"""Requests that are sent at once, so that the pool of connections is enough; waits are many more."""
_TYPE = "threadworks.run-delta.produced.v1"


class Counted:
    """The stored events, and how often they were asked for."""

    def __init__(self, stored: Streams) -> None:
        self._stored = stored
        self.statements = 0

    async def news(self, positions: Sequence[tuple[str, str, int]]) -> Sequence[StoredEvent]:
        self.statements += 1
        return await self._stored.news(positions)

    async def states(self, asked: Sequence[tuple[str, str]]) -> Any:
        self.statements += 1
        return await self._stored.states(asked)

    async def add_slots(self, slot: int, added: Sequence[tuple[str, str]]) -> None:
        self.statements += 1
        await self._stored.add_slots(slot, added)


@dataclass
class Desk:
    """A gateway that waits. Its clock stands still, so nothing is ever looked at because time has passed."""

    caller: Any
    bus: InProcessBus
    hub: Hub
    waiting: Waiting
    counted: Counted

    async def send(self, pieces: list[dict[str, Any]]) -> None:
        """Send pieces to the slot, in one record."""
        slot = self.hub.slot
        assert slot is not None
        message = Message(
            type=_TYPE,
            source="/threadworks/run-orchestrator",
            subject=f"slot/{slot}",
            tenant=None,
            data={"pieces": pieces},
            id=str(uuid4()),
            time=datetime.now(UTC),
        )
        encoded = codec.encode(message)
        topic = catalogue.topic_of(_TYPE)
        record = OutgoingRecord(topic=topic, key=None, value=encoded.value, headers=encoded.headers, partition=slot)
        assert await self.bus.stream_publisher.publish([record]) == [None]

    async def ends(self, run_id: str) -> dict[str, Any]:
        """Answer a run as a worker; return the hint that it sends."""
        driving = self.caller.worker.driving
        claimed = await driving.claim(self.caller.tenant, run_id)
        assert claimed is not None
        assert claimed.stream_slots == {for_news(self.hub.slot or 0)}
        await driving.finish(claimed, answer())
        return {"tenant_id": self.caller.tenant, "run_id": run_id, "seq": claimed.seq + 1}


@pytest_asyncio.fixture
async def desk(caller: Any, engine: EngineProcess, bus: InProcessBus) -> AsyncIterator[Desk]:
    database, writer = engine.database, engine.writer
    store = runs.Runs(database, writer)
    slot_taken = asyncio.Event()

    async def pause(_seconds: float) -> None:
        slot_taken.set()
        await asyncio.Event().wait()

    counted = Counted(Streams(database))
    replay = Replay(store, messages.Messages(database, writer))
    slots = streams.Slots(database, engine.worker, LEASE)
    hub = Hub(counted, slots, tails_on(bus), store, replay, clock=lambda: 0.0, pause=pause)
    hub.start()
    async with asyncio.timeout(10):
        await slot_taken.wait()
        while hub.slot is None:
            await asyncio.sleep(0.01)
    yield Desk(caller, bus, hub, Waiting(hub, Runs(store, threads.Threads(database, writer))), counted)
    await hub.stop()


async def test_five_hundred_waits_are_woken_by_one_record(desk: Desk) -> None:
    caller = desk.caller
    assistant_id = await caller.assistant()
    run_ids = [new_id("run") for _ in range(_WAITS)]
    waits = dict[str, asyncio.Task[Run]]()
    for start in range(0, _WAITS, _AT_ONCE):
        for run_id in run_ids[start : start + _AT_ONCE]:
            thread = NewThread(id=new_id("thread"), messages=(user(),))
            draft = NewRun(id=run_id, assistant_id=assistant_id)
            waiting = desk.waiting.start_on_new_thread(caller.tenant, thread, draft, limit=120)
            waits[run_id] = asyncio.create_task(waiting)
        while await caller.count("runs") < start + _AT_ONCE:
            await asyncio.sleep(0.01)
    assert desk.counted.statements == 0
    hints = [await desk.ends(run_id) for run_id in run_ids]
    assert not any(wait.done() for wait in waits.values())
    assert desk.counted.statements == 0
    await desk.send(hints)
    ended = await asyncio.wait_for(asyncio.gather(*waits.values()), 30)
    assert {run.status for run in ended} == {RunStatus.COMPLETED}
    assert [run.id for run in ended] == run_ids
    assert desk.counted.statements == 1


async def test_what_is_read_of_the_end_is_what_the_api_shows(desk: Desk) -> None:
    caller = desk.caller
    run_id, thread = new_id("run"), NewThread(id=new_id("thread"), messages=(user(),))
    draft = NewRun(id=run_id, assistant_id=await caller.assistant())
    wait = asyncio.create_task(desk.waiting.start_on_new_thread(caller.tenant, thread, draft, limit=30))
    while not await caller.count("runs"):
        await asyncio.sleep(0.01)
    await desk.send([await desk.ends(run_id)])
    assert await wait == await caller.worker.runs.get(caller.tenant, thread.id, run_id)


async def test_a_thread_that_is_deleted_ends_the_wait(desk: Desk) -> None:
    caller = desk.caller
    run_id, thread = new_id("run"), NewThread(id=new_id("thread"), messages=(user(),))
    draft = NewRun(id=run_id, assistant_id=await caller.assistant())
    wait = asyncio.create_task(desk.waiting.start_on_new_thread(caller.tenant, thread, draft, limit=30))
    while not await caller.count("runs"):
        await asyncio.sleep(0.01)
    await caller.delete(f"/threads/{thread.id}")
    await desk.send([{"tenant_id": caller.tenant, "run_id": run_id, "seq": 2}])
    with pytest.raises(NotFound):
        await asyncio.wait_for(wait, 10)
