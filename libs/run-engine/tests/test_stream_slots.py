"""The slots that gateways lease, and how a run's worker learns who streams it."""

import asyncio

from engine_world import World, answer, call, user
from run_engine.domain.drafts import NewRun
from run_engine.lease import LEASE
from run_engine.store.streams import Slots, Streams


async def test_every_gateway_has_a_slot_of_its_own(lonely_world: World) -> None:
    world = lonely_world
    gateways = [await world.live_worker("gateway") for _ in range(8)]
    taken = await asyncio.gather(*(Slots(world.database, one.name, LEASE).take() for one in gateways))
    assert len(set(taken)) == 8
    assert None not in taken


async def test_there_are_64_slots_and_a_dead_gateway_leaves_its_own(lonely_world: World) -> None:
    world = lonely_world
    gateway, dead, late = [await world.live_worker("gateway") for _ in range(3)]
    last = [await Slots(world.database, dead.name, LEASE).take()]
    taken = {await Slots(world.database, gateway.name, LEASE).take() for _ in range(63)}
    assert taken | set(last) == set(range(64))
    slots = Slots(world.database, late.name, LEASE)
    assert await slots.take() is None
    await dead.liveness.retire()
    slot = await slots.take()
    assert slot == last[0]
    assert await slots.keep(slot)
    assert not await Slots(world.database, dead.name, LEASE).keep(slot)
    await slots.release(slot)
    assert not await slots.keep(slot)


async def test_a_slot_that_was_held_until_now_is_taken_last(lonely_world: World) -> None:
    world = lonely_world
    old, dead, other, new = [await world.live_worker("gateway") for _ in range(4)]
    released, left = [Slots(world.database, one.name, LEASE) for one in (old, dead)]
    first, second = await released.take(), await left.take()
    assert first is not None
    assert second is not None
    passing = Slots(world.database, other.name, LEASE)
    for _ in range(62):
        slot = await passing.take()
        assert slot is not None
        await passing.release(slot)
    assert await left.keep(second)
    await released.release(first)
    await dead.liveness.retire()
    late = Slots(world.database, new.name, LEASE)
    assert [await late.take() for _ in range(64)][-2:] == [second, first]


async def test_a_run_knows_its_slots_and_its_worker_hears_of_new_ones(world: World) -> None:
    worker, streams = await world.live_worker(), Streams(world.database)
    thread = (await world.start_run()).thread_id
    await world.gateway.runs.cancel(world.tenant, thread, await _active(world, thread))
    draft = NewRun(id="run_streamed", assistant_id=world.assistant_id)
    run = await world.gateway.runs.start(world.tenant, thread, draft, [user()], stream_slot=7)
    assert run.stream_slots == {7}
    claimed = await world.claimed(worker, run)
    assert claimed.stream_slots == {7}
    for slot in (9, 7, 9):
        await streams.add_slot(world.tenant, run.id, slot)
    assert [one.stream_slots for one in await worker.liveness.renew()] == [{7, 9}]
    for _ in range(2):
        await streams.add_slots(12, [(world.tenant, run.id)])
    assert [one.stream_slots for one in await worker.liveness.renew()] == [{7, 9, 12}]
    await worker.driving.finish(claimed, answer())
    await streams.add_slot(world.tenant, run.id, 3)
    await streams.add_slots(3, [(world.tenant, run.id)])
    assert (await world.read(run)).stream_slots == {7, 9, 12}, "a run that is over is not streamed by anybody"


async def test_outputs_may_bring_a_slot(world: World) -> None:
    asked = call()
    run = await world.parked(asked)
    queued = await world.gateway.runs.submit_outputs(
        world.tenant, run.thread_id, run.id, [(asked.id, "x")], stream_slot=5
    )
    assert queued.stream_slots == {5}


async def test_news_of_many_runs_come_in_one_statement_each_from_its_place(world: World) -> None:
    worker, streams = await world.live_worker(), Streams(world.database)
    first, second = await world.claimed(worker), await world.claimed(worker)
    await worker.driving.finish(first, answer())
    news = await streams.news([(world.tenant, first.id, 3), (world.tenant, second.id, 0), ("nobody", first.id, 0)])
    assert [(one.seq, one.type) for one in news if one.run_id == first.id] == [
        (4, "threadworks.message.completed.v1"),
        (5, "threadworks.run-step.completed.v1"),
        (6, "threadworks.run.completed.v1"),
    ]
    assert [one.seq for one in news if one.run_id == second.id] == [1, 2]
    assert await streams.news([]) == []


async def _active(world: World, thread_id: str) -> str:
    active = (await world.gateway.threads.get(world.tenant, thread_id)).active_run
    assert active is not None
    return active
