"""Ten thousand streams, each cut at some moment of its life: nothing of them is left but runs that are kept up with."""

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from gateway.application.streams.feed import Feed, Listener
from gateway.application.streams.hub import MOST_KEPT, RETENTION, Hub
from gateway.application.streams.readings import Readings
from gateway.application.streams.replay import Replay
from gateway.entrypoints.http.exchange import Call
from gateway.entrypoints.http.openai.operations.run_streams import RunStreams
from gateway.entrypoints.http.stream_reply import StreamResponse
from run_engine.domain.drafts import NewRun
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus
from run_engine.errors import DatabaseUnavailable, NotFound
from run_engine.store.streams import RunState, StoredEvent
from stream_scripts import NOW, RUN, Script, Stored

_TENANT = "tenant whose streams are cut"
_STREAMS = 10_000
_AT_ONCE = 500
_ANSWER = Script().begin().message([("text", "Hel"), ("text", "lo")]).run("completed").items


class Busy:
    """Stores, slot and runs that take their time, and fail now and then."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.now = 0.0
        self.hear: Any = None

    async def _work(self, failures: Sequence[Exception] = ()) -> None:
        for _ in range(self.chance.randrange(3)):
            await asyncio.sleep(0)
        if failures and self.chance.random() < 0.1:
            raise self.chance.choice(failures)

    async def news(self, positions: Sequence[tuple[str, str, int]]) -> list[StoredEvent]:
        await self._work([DatabaseUnavailable("away")])
        return [
            StoredEvent(tenant, run, item.seq, item.type, item.subject, item.data, NOW)
            for tenant, run, seq in positions
            for item in _ANSWER
            if isinstance(item, Stored) and item.seq > seq
        ]

    async def states(self, runs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], RunState]:
        await self._work([DatabaseUnavailable("away")])
        return {key: RunState(1, RunStatus.QUEUED) for key in runs if self.chance.random() < 0.9}

    async def add_slots(self, _slot: int, _runs: Any) -> None:
        await self._work([DatabaseUnavailable("away")])

    async def get(self, _tenant: str, _thread: str, run_id: str) -> Run:
        await self._work([NotFound("run", run_id)])
        return replace(RUN, id=run_id, seq=self.chance.randrange(1, 6))

    async def start(self, _tenant: str, _thread: str, draft: NewRun, _messages: Any, **_slot: Any) -> Run:
        await self._work([DatabaseUnavailable("away")])
        return replace(RUN, id=draft.id)

    async def submit_outputs(self, _tenant: str, _thread: str, run_id: str, _outputs: Any, **_slot: Any) -> Run:
        await self._work([NotFound("run", run_id)])
        return replace(RUN, id=run_id, seq=3)

    async def take(self) -> int:
        return 5

    async def keep(self, _slot: int) -> bool:
        return True

    async def release(self, _slot: int) -> None:
        pass

    async def open_tail(self, _slot: int, hear: Any) -> Any:
        self.hear = hear
        return self

    async def ready(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def list_steps(self, *_: Any) -> Any:
        raise AssertionError("all events are stored")


@pytest.fixture
def busy() -> Busy:
    return Busy(random.Random(5))


@pytest_asyncio.fixture
async def hub(busy: Busy) -> AsyncIterator[Hub]:
    async def pause(_seconds: float) -> None:
        busy.now += 0.5
        await asyncio.sleep(0.001)

    store: Any = busy
    hub = Hub(store, store, busy.open_tail, store, Replay(store, store), clock=lambda: busy.now, pause=pause)
    hub.start()
    yield hub
    await hub.stop()


def listeners() -> int:
    gc.collect()
    return sum(isinstance(each, Listener) for each in gc.get_objects())


def feeds() -> int:
    gc.collect()
    return sum(isinstance(each, Feed) and each.tenant_id == _TENANT for each in gc.get_objects())


def departures() -> int:
    """How many tasks wait for a client to go."""
    return sum("_departure" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_nothing_is_left_of_them(busy: Busy, hub: Hub) -> None:
    runs: Any = busy
    streams, chance = RunStreams(Readings(hub, runs), runs), busy.chance
    others = listeners()

    async def one(number: int) -> None:
        run_id = f"run_{number % (_STREAMS // 2)}"
        kind = chance.randrange(3)
        try:
            if kind == 0:
                draft = NewRun(id=f"run_new{number}", assistant_id="asst_1")
                reply = await streams.start(_TENANT, "thread_1", draft, [])
            elif kind == 1:
                reply = await streams.submit_outputs(_TENANT, "thread_1", run_id, [])
            else:
                reply = await streams.events(_call(run_id))
        except (DatabaseUnavailable, NotFound):
            return
        gone = asyncio.Event()
        cut = chance.randrange(5)

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(_message: Any) -> None:
            nonlocal cut
            cut -= 1
            if cut == 0:
                gone.set()
            await asyncio.sleep(0)

        if cut == 0:
            gone.set()
        method = "HEAD" if number % 50 == 0 else "GET"
        await StreamResponse(reply, "req_1", closing=False)({"type": "http", "method": method}, receive, send)

    async def killed(number: int) -> None:
        task = asyncio.create_task(one(number))
        for _ in range(chance.randrange(8)):
            await asyncio.sleep(0)
        if number % 3 == 0:
            task.cancel()
        await asyncio.wait([task], timeout=10)
        assert task.done()
        assert task.cancelled() or task.exception() is None

    for first in range(0, _STREAMS, _AT_ONCE):
        await asyncio.gather(*(killed(number) for number in range(first, first + _AT_ONCE)))
    assert listeners() == others
    assert feeds() <= MOST_KEPT
    await hub.stop()
    busy.now += RETENTION
    hub.tick()
    assert feeds() == 0
    assert departures() == 0


def _call(run_id: str) -> Any:
    values = {"thread_id": "thread_1", "run_id": run_id}
    return Call(tenant_id=_TENANT, values=values, query=b"", headers={}, receive=_never, largest_body=0)


async def _never() -> Any:
    raise AssertionError("a stream's request has no body")
