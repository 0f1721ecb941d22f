"""A deleted message is gone, from the history of its run too; never under a run that reads the thread."""

import asyncio

import pytest
from engine_world import World, answer, new_id, user
from message_counts import count
from run_engine.domain.drafts import NewRun, NewThread
from run_engine.domain.status import MessageStatus
from run_engine.errors import NotFound, ThreadBusy


async def test_a_message_is_gone_with_its_text(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    written = answer("what the run wrote")
    await worker.driving.finish(run, written)
    messages, tenant = world.gateway.messages, world.tenant
    assert await count(world, run.thread_id) == (2, 2)
    await messages.delete(tenant, run.thread_id, written.message_id)
    assert await count(world, run.thread_id) == (1, 1)
    with pytest.raises(NotFound) as gone:
        await messages.get(tenant, run.thread_id, written.message_id)
    assert gone.value.kind == "message"
    with pytest.raises(NotFound):
        await messages.delete(tenant, run.thread_id, written.message_id)
    assert await count(world, run.thread_id) == (1, 1)
    (event,) = await world.sql(
        "SELECT data FROM run_events WHERE tenant_id = $1 AND run_id = $2 AND subject = $3",
        tenant,
        run.id,
        written.message_id,
    )
    assert "what the run wrote" not in event["data"]
    assert written.message_id in event["data"], "the history is whole, and its numbers have no gap"
    await world.events(run)


async def test_what_is_missing_is_named(world: World) -> None:
    run = await world.start_run()
    (message,) = await world.gateway.messages.latest(world.tenant, run.thread_id, 1)
    with pytest.raises(NotFound) as missing:
        await world.gateway.messages.delete(world.tenant, "thread_missing", message.id)
    assert (missing.value.kind, missing.value.object_id) == ("thread", "thread_missing")
    with pytest.raises(NotFound) as missing:
        await world.gateway.messages.delete(world.tenant, run.thread_id, "msg_missing")
    assert (missing.value.kind, missing.value.object_id) == ("message", "msg_missing")
    other = await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), messages=[user()]))
    with pytest.raises(NotFound):
        await world.gateway.messages.delete(world.tenant, other.id, message.id)
    assert await count(world, other.id) == (1, 1)


async def test_a_run_keeps_the_messages_it_reads(world: World) -> None:
    run = await world.start_run()
    (message,) = await world.gateway.messages.latest(world.tenant, run.thread_id, 1)
    with pytest.raises(ThreadBusy) as busy:
        await world.gateway.messages.delete(world.tenant, run.thread_id, message.id)
    assert (busy.value.thread_id, busy.value.run_id) == (run.thread_id, run.id)
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    await world.gateway.messages.delete(world.tenant, run.thread_id, message.id)
    assert list(await world.gateway.messages.latest(world.tenant, run.thread_id, 5)) == []


async def test_deletions_and_runs_that_meet(world: World) -> None:
    """Whoever comes first: a run that has begun finds every message that was there, or the message was gone before."""
    seen = set()
    for number in range(60):
        thread = await world.gateway.threads.create(
            world.tenant, NewThread(id=new_id("thread"), messages=[user("a"), user("b")])
        )
        newest, _oldest = await world.gateway.messages.latest(world.tenant, thread.id, 5)
        draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
        begun = asyncio.create_task(world.gateway.runs.start(world.tenant, thread.id, draft))
        # Sometimes the run has a head start, and sometimes it has come as far as nobody knows.
        await asyncio.wait({begun}, timeout=0.0002 * (number % 10) if number % 10 < 9 else None)
        deleted, again, started = await asyncio.gather(
            world.gateway.messages.delete(world.tenant, thread.id, newest.id),
            world.gateway.messages.delete(world.tenant, thread.id, newest.id),
            begun,
            return_exceptions=True,
        )
        assert not isinstance(started, BaseException)
        left = await world.gateway.messages.latest(world.tenant, thread.id, 5)
        counted, there = await count(world, thread.id)
        assert counted == there + 1, "one place is the run's"
        if there == 2:
            assert isinstance(deleted, ThreadBusy)
            assert isinstance(again, ThreadBusy)
        else:
            assert [deleted, again].count(None) == 1, "deleted once"
            assert newest.id not in [message.id for message in left]
        seen.add(there)
    assert 2 in seen
    assert seen <= {1, 2}


async def test_an_open_message_is_the_runs(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.finish(run, answer())
    (written, *_) = await world.gateway.messages.latest(world.tenant, run.thread_id, 1)
    changed = await world.gateway.messages.modify(world.tenant, run.thread_id, written.id, {"seen": "yes"})
    assert (changed.status, changed.metadata, changed.content) == (
        MessageStatus.COMPLETED,
        {"seen": "yes"},
        written.content,
    )
    with pytest.raises(NotFound):
        await world.gateway.messages.modify(world.tenant, run.thread_id, "msg_missing", {})
