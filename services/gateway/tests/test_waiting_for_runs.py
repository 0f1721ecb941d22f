"""Who waits for a run is woken when it has ended or needs its client, and costs nothing until then."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from gateway.application.streams.hub import KEEPALIVE, OUTAGE, TICK, VERIFY, Hub, StreamsEnd
from gateway.application.streams.readings import Reading
from gateway.application.streams.replay import Replay
from gateway.application.waiting import StillRunning, Waiting
from run_engine.domain.drafts import NewMessage, NewRun
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus
from run_engine.domain.stream_slots import all_slots, for_news, is_streamed
from run_engine.errors import DatabaseUnavailable, NotFound, ThreadBusy
from stream_scripts import RUN, Script, Stored
from stream_world import World, piece

_LONG = 30.0
ANSWER = Script().begin().message([("text", "Hello")]).run("completed")
PARKED = Script().begin().run("requires_action", (("call_1", "f", "{}"),))
STORED = [item for item in ANSWER.items if isinstance(item, Stored)]


class Committed:
    """The runs: what is started is committed at once, to be heard of with the slot that it was started with."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.slots: list[int | None] = []
        self.refusal: Exception | None = None
        self.before_reply: Sequence[Any] = ()
        self.found: Run = RUN
        self.hub: Hub | None = None

    async def start(
        self, _tenant: str, _thread: str, draft: NewRun, _messages: Sequence[NewMessage], *, stream_slot: int | None
    ) -> Run:
        if self.refusal is not None:
            raise self.refusal
        self.slots.append(stream_slot)
        if self.hub is not None:
            self.hub.hear(self.before_reply)
        return replace(RUN, id=draft.id)

    async def submit_outputs(self, *_: Any, stream_slot: int | None) -> Run:
        self.slots.append(stream_slot)
        return self.found

    async def get(self, *_: Any) -> Run:
        return self.found


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def hub(world: World) -> Hub:
    return Hub(world, world, world.open_tail, world, Replay(world, world), clock=lambda: world.now, pause=world.pause)


@pytest.fixture
def runs(world: World) -> Committed:
    return Committed(world)


@pytest.fixture
def waiting(hub: Hub, runs: Committed) -> Waiting:
    return Waiting(hub, runs)  # type: ignore[arg-type] # it has what is used of it


async def begun(waiting: Waiting, run_id: str = RUN.id, limit: float = _LONG) -> asyncio.Task[Run]:
    """A waiter that has started its run and waits."""
    draft = NewRun(id=run_id, assistant_id="asst_1")
    waiter = asyncio.create_task(waiting.start("tenant", "thread_1", draft, limit=limit))
    await _settled()
    return waiter


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def feeds(hub: Hub) -> list[tuple[str, str]]:
    return list(hub._feeds)


async def test_the_end_of_the_run_is_the_end_of_the_wait(waiting: Waiting, hub: Hub, world: World) -> None:
    waiter = await begun(waiting)
    assert not waiter.done()
    world.commit(*ANSWER.items)
    hub.hear([{"tenant_id": "tenant", "run_id": RUN.id, "seq": 3}])
    await hub.look()
    run = await waiter
    assert (run.status, run.seq, run.thread_id) == (RunStatus.COMPLETED, STORED[-1].seq, "thread_1")
    assert run.usage is not None
    assert run.usage.total_tokens == 3
    assert world.asked == [[("tenant", RUN.id, 1)]]
    assert feeds(hub) == []


async def test_calls_of_the_client_end_the_wait_and_calls_of_services_do_not(
    waiting: Waiting, hub: Hub, world: World
) -> None:
    waiter = await begun(waiting)
    served = Script().begin().run("awaiting_tools").run("queued").run("in_progress")
    world.commit(*served.items)
    world.now += TICK
    await hub.look()
    await _settled()
    assert not waiter.done()
    served.run("requires_action", (("call_1", "f", "{}"),))
    world.commit(*served.items[-1:])
    world.now += TICK
    await hub.look()
    run = await waiter
    assert run.status is RunStatus.REQUIRES_ACTION
    assert [call.id for call in run.required_calls] == ["call_1"]


async def test_a_run_that_needed_its_client_only_for_a_moment_is_waited_for(
    waiting: Waiting, hub: Hub, world: World
) -> None:
    waiter = await begun(waiting)
    world.commit(*PARKED.run("queued").run("in_progress").items)
    world.now += TICK
    await hub.look()
    await _settled()
    assert not waiter.done(), "somebody else has answered"
    waiter.cancel()


async def test_an_end_that_is_heard_before_the_commit_returns(
    waiting: Waiting, hub: Hub, runs: Committed, world: World
) -> None:
    runs.hub, runs.before_reply = hub, [{"tenant_id": "tenant", "run_id": RUN.id, "seq": STORED[-1].seq}]
    world.commit(*ANSWER.items)
    waiter = await begun(waiting)
    await hub.look()
    assert (await waiter).status is RunStatus.COMPLETED


async def test_outputs_are_waited_for_past_what_happened_before_them(
    waiting: Waiting, hub: Hub, runs: Committed, world: World
) -> None:
    parked = Script().begin().run("requires_action", (("call_1", "f", "{}"),))
    runs.found = replace(RUN, seq=parked.seq + 1)
    world.commit(*parked.run("queued").items)
    waiter = asyncio.create_task(waiting.submit_outputs("tenant", "thread_1", RUN.id, [("call_1", "1")], limit=_LONG))
    await _settled()
    await hub.look()
    await _settled()
    assert not waiter.done(), "that it had to wait for them is past"
    world.commit(*parked.run("in_progress").run("completed").items[-2:])
    world.now += TICK
    await hub.look()
    assert (await waiter).status is RunStatus.COMPLETED


async def test_a_run_that_is_over_already_needs_no_wait(
    waiting: Waiting, hub: Hub, runs: Committed, world: World
) -> None:
    for status in (RunStatus.EXPIRED, RunStatus.REQUIRES_ACTION):
        runs.found = replace(RUN, status=status)
        assert (await waiting.for_end("tenant", "thread_1", RUN.id, _LONG)).status is status
    assert (feeds(hub), world.asked) == ([], [])


async def test_a_run_that_was_started_before_is_waited_for(
    waiting: Waiting, hub: Hub, runs: Committed, world: World
) -> None:
    runs.found = replace(RUN, status=RunStatus.IN_PROGRESS, seq=2)
    world.commit(*ANSWER.items[:2])
    waiter = asyncio.create_task(waiting.for_end("tenant", "thread_1", RUN.id, _LONG))
    await _settled()
    await hub.look()
    await _settled()
    assert not waiter.done()
    world.commit(*ANSWER.items[2:])
    world.now += TICK
    await hub.look()
    assert (await waiter).status is RunStatus.COMPLETED


async def test_the_limit_leaves_the_run_alone_and_nothing_behind(waiting: Waiting, hub: Hub, world: World) -> None:
    with pytest.raises(StillRunning) as still:
        await waiting.start("tenant", "thread_1", NewRun(id=RUN.id, assistant_id="asst_1"), limit=0)
    assert still.value.run.id == RUN.id
    assert feeds(hub) == []


async def test_a_waiter_that_goes_or_is_refused_leaves_nothing_behind(
    waiting: Waiting, hub: Hub, runs: Committed
) -> None:
    waiters = [await begun(waiting, f"run_{number}") for number in range(3)]
    assert len(feeds(hub)) == 3
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert feeds(hub) == []
    runs.refusal = ThreadBusy("thread_1", "run_9")
    with pytest.raises(ThreadBusy):
        await waiting.start("tenant", "thread_1", NewRun(id=RUN.id, assistant_id="asst_1"), limit=_LONG)
    assert feeds(hub) == []


async def test_a_run_that_is_deleted_ends_its_waits(waiting: Waiting, hub: Hub, world: World) -> None:
    waiter = await begun(waiting)
    world.gone = True
    world.now += VERIFY
    await hub.look()
    with pytest.raises(NotFound):
        await waiter
    assert feeds(hub) == []


async def test_a_run_that_ends_in_silence_ends_its_waits(waiting: Waiting, hub: Hub, world: World) -> None:
    waiter = await begun(waiting)
    world.run = replace(RUN, status=RunStatus.CANCELLED)
    world.now += VERIFY
    await hub.look()
    assert (await waiter).status is RunStatus.CANCELLED


async def test_waits_outlast_an_outage_and_not_every_one(waiting: Waiting, hub: Hub, world: World) -> None:
    waiter = await begun(waiting)
    world.away = True
    world.now += TICK
    await hub.look()
    world.now += OUTAGE - TICK
    await hub.look()
    await _settled()
    assert not waiter.done()
    world.now += TICK
    await hub.look()
    with pytest.raises(DatabaseUnavailable):
        await waiter


async def test_a_gateway_that_stops_ends_its_waits(waiting: Waiting, hub: Hub) -> None:
    waiter = await begun(waiting)
    hub.give_up()
    with pytest.raises(StreamsEnd):
        await waiter


async def test_many_waits_for_long_cost_one_statement_a_second(waiting: Waiting, hub: Hub, world: World) -> None:
    waiters = [await begun(waiting, f"run_{number}") for number in range(500)]
    seconds = 60
    for _ in range(seconds):
        world.now += TICK
        hub.tick()
        await hub.look()
    assert len(world.asked) == seconds
    assert {len(positions) for positions in world.asked} == {500}
    assert len(world.verified) == seconds / VERIFY
    assert not any(waiter.done() for waiter in waiters)
    world.commit(*ANSWER.items, run_id="run_7")
    world.now += TICK
    await hub.look()
    assert (await waiters[7]).id == "run_7"
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert feeds(hub) == []


async def test_a_waiter_is_not_woken_for_signs_of_life(waiting: Waiting, hub: Hub, world: World) -> None:
    waiter = await begun(waiting)
    (feed,) = hub._feeds.values()
    (listener,) = feed.listeners
    world.now += KEEPALIVE
    hub.tick()
    assert not listener.overdue
    waiter.cancel()


async def test_news_alone_are_asked_for_and_text_as_soon_as_somebody_reads(
    waiting: Waiting, hub: Hub, runs: Committed, world: World
) -> None:
    hub.start()
    async with asyncio.timeout(5), world.pausing:
        await world.pausing.wait_for(lambda: world.pauses >= 2)
    waiter = await begun(waiting)
    assert runs.slots == [for_news(7)]
    await hub.look()
    assert world.added == [], "its own commit has said it"
    reading = Reading(hub, "tenant", RUN.id)
    reading.begin_new(RUN, None)
    await reading.told()
    await _settled()
    assert world.added == [(7, [("tenant", RUN.id)])]
    reading.close()
    world.ours.clear()
    await world.pass_pauses(2)
    await _settled()
    assert world.added[1:] == [(8, [("tenant", RUN.id)])], "a reader may come back to the text"
    runs.found = replace(RUN, id="run_2", status=RunStatus.IN_PROGRESS)
    late = asyncio.create_task(waiting.for_end("tenant", "thread_1", "run_2", _LONG))
    world.commit(*ANSWER.items[:2], run_id="run_2")
    await _settled()
    assert world.added[2:] == [(for_news(8), [("tenant", "run_2")])]
    for each in (waiter, late):
        each.cancel()
    await hub.stop()


async def test_the_worker_is_told_with_the_commit_who_waits_after_it(
    waiting: Waiting, hub: Hub, runs: Committed, world: World
) -> None:
    hub.start()
    async with asyncio.timeout(5), world.pausing:
        await world.pausing.wait_for(lambda: world.pauses >= 2)
    begun = await waiting.begin("tenant", "thread_1", NewRun(id=RUN.id, assistant_id="asst_1"))
    assert (begun.id, runs.slots, feeds(hub)) == (RUN.id, [for_news(7)], [])
    await hub.stop()


async def test_copies_wake_as_well_as_hints(waiting: Waiting, hub: Hub, world: World) -> None:
    waiter = await begun(waiting)
    hub.hear([piece(item) for item in ANSWER.items[1:]])
    assert (await waiter).status is RunStatus.COMPLETED
    assert world.asked == []


def test_slots_for_text_and_for_news() -> None:
    numbers = frozenset({for_news(0), for_news(63), 5})
    assert all_slots(numbers) == {0, 5, 63}
    assert is_streamed(numbers)
    assert not is_streamed({for_news(0), for_news(5)})
    assert all_slots({5, for_news(5)}) == {5}
