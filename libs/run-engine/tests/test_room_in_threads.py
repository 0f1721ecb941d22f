"""A thread has a limited number of messages, whoever adds them and however many at once."""

import asyncio

import imported
import pytest
from engine_world import World, answer, new_id, user
from message_counts import count
from run_engine.domain.drafts import NewRun, NewThread
from run_engine.errors import ThreadFull
from run_engine.store import messages, runs, thread_room
from run_engine.store.imports import Imports

MOST = 10


@pytest.fixture(autouse=True)
def small_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (messages, runs, thread_room):
        monkeypatch.setattr(module, "MOST_MESSAGES", MOST)


async def thread_of(world: World, number: int) -> str:
    draft = NewThread(id=new_id("thread"), messages=[user() for _ in range(number)])
    return (await world.gateway.threads.create(world.tenant, draft)).id


def draft(world: World) -> NewRun:
    return NewRun(id=new_id("run"), assistant_id=world.assistant_id)


async def test_messages_one_by_one(world: World) -> None:
    thread_id = await thread_of(world, MOST - 1)
    await world.gateway.messages.create(world.tenant, thread_id, user())
    with pytest.raises(ThreadFull) as full:
        await world.gateway.messages.create(world.tenant, thread_id, user())
    assert (full.value.thread_id, full.value.most) == (thread_id, MOST)
    assert await count(world, thread_id) == (MOST, MOST)
    (message, *_) = await world.gateway.messages.latest(world.tenant, thread_id, 1)
    await world.gateway.messages.delete(world.tenant, thread_id, message.id)
    await world.gateway.messages.create(world.tenant, thread_id, user())
    assert await count(world, thread_id) == (MOST, MOST)


async def test_messages_at_once(world: World) -> None:
    thread_id = await thread_of(world, MOST - 3)
    results = await asyncio.gather(
        *(world.gateway.messages.create(world.tenant, thread_id, user()) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, ThreadFull) for result in results) == 5
    assert await count(world, thread_id) == (MOST, MOST)


async def test_a_run_needs_a_place_for_its_answer(world: World) -> None:
    thread_id = await thread_of(world, MOST - 2)
    with pytest.raises(ThreadFull):
        await world.gateway.runs.start(world.tenant, thread_id, draft(world), [user(), user()])
    run = await world.gateway.runs.start(world.tenant, thread_id, draft(world), [user()])
    worker = await world.live_worker()
    claimed = await worker.driving.claim(world.tenant, run.id)
    assert claimed is not None
    await worker.driving.finish(claimed, answer())
    assert await count(world, thread_id) == (MOST, MOST)
    with pytest.raises(ThreadFull):
        await world.gateway.runs.start(world.tenant, thread_id, draft(world))


async def test_runs_that_wrote_nothing_take_no_place_in_the_end(world: World) -> None:
    thread_id = await thread_of(world, 1)
    for _ in range(3 * MOST):
        run = await world.gateway.runs.start(world.tenant, thread_id, draft(world))
        await world.gateway.runs.cancel(world.tenant, thread_id, run.id)
    for _ in range(MOST - 1):
        await world.gateway.messages.create(world.tenant, thread_id, user())
    assert await count(world, thread_id) == (MOST, MOST)
    with pytest.raises(ThreadFull):
        await world.gateway.messages.create(world.tenant, thread_id, user())


async def test_a_run_on_a_new_thread_counts(world: World) -> None:
    run = await world.start_run(user(), user())
    assert await count(world, run.thread_id) == (3, 2), "one place is the run's"


async def test_imported_messages_count(world: World) -> None:
    objects = [imported.thread(), *(imported.message(id=f"msg_{number}") for number in range(MOST))]
    for _ in range(2):
        await Imports(world.database).store(world.tenant, enumerate(objects))
        assert await count(world, "thread_old") == (MOST, MOST)
    with pytest.raises(ThreadFull):
        await world.gateway.messages.create(world.tenant, "thread_old", user())
