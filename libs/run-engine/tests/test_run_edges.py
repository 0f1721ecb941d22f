"""Runs that are not like the others: imported ones, of nobody's tenant, with calls that take for ever or too long."""

import asyncio

import pytest
from engine_world import World, answer, call, new_id, user
from run_engine.domain.drafts import NewAssistant, NewRun, NewThread
from run_engine.domain.objects import Run, Usage
from run_engine.domain.status import ENDED, UNFINISHED, RunStatus
from run_engine.errors import IllegalMove, ThreadBusy


async def _imported(world: World, status: RunStatus) -> Run:
    """A run as an import leaves it: no worker, no timers, and its thread locked while it is not over."""
    run = await world.parked(call()) if status is RunStatus.REQUIRES_ACTION else await world.start_run()
    await world.sql(
        "UPDATE runs SET driven = false, expires_at = NULL, worker = NULL, status = $2 WHERE id = $1", run.id, status
    )
    if status.ended:
        await world.sql("UPDATE threads SET active_run = NULL WHERE id = $1", run.thread_id)
    return await world.read(run)


@pytest.mark.parametrize("status", sorted(UNFINISHED))
async def test_cancelling_ends_an_imported_run_at_once(world: World, status: RunStatus) -> None:
    """There is no worker that could be asked to stop, and no sweep that would see that there is none."""
    run = await _imported(world, status)
    with pytest.raises(ThreadBusy):
        await world.gateway.messages.create(world.tenant, run.thread_id, user())
    cancelled = await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    assert cancelled.status is RunStatus.CANCELLED
    await world.gateway.messages.create(world.tenant, run.thread_id, user())


@pytest.mark.parametrize("status", sorted(ENDED))
async def test_an_imported_run_that_is_over_cannot_be_cancelled(world: World, status: RunStatus) -> None:
    run = await _imported(world, status)
    with pytest.raises(IllegalMove):
        await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)


async def test_submitting_outputs_makes_an_imported_run_a_driven_one_with_new_timers(world: World) -> None:
    run = await _imported(world, RunStatus.REQUIRES_ACTION)
    submitted = await world.gateway.runs.submit_outputs(
        world.tenant, run.thread_id, run.id, [(run.required_calls[0].id, "out")]
    )
    assert submitted.status is RunStatus.QUEUED
    worker = await world.live_worker()
    claimed = await worker.driving.claim(world.tenant, run.id)
    assert claimed is not None
    assert claimed.expires_at is not None
    lives = await world.sql("SELECT extract(epoch FROM $1 - clock_timestamp())::float AS seconds", claimed.expires_at)
    assert 500 < lives[0]["seconds"] <= 600
    await worker.driving.finish(claimed, answer())
    assert await world.active_run(run) is None


async def test_submitting_outputs_gives_a_driven_run_no_more_time(world: World) -> None:
    run = await world.parked(call())
    moved = await world.gateway.runs.submit_outputs(
        world.tenant, run.thread_id, run.id, [(run.required_calls[0].id, "out")]
    )
    assert moved.expires_at == run.expires_at


async def test_a_run_of_a_tenant_that_nobody_made_is_driven_and_expires_like_any_other(world: World) -> None:
    nobody = f"nobody-{world.tenant}"
    await world.gateway.assistants.create(nobody, NewAssistant(id=world.assistant_id, model="demo"))
    thread = await world.gateway.threads.create(nobody, NewThread(id=new_id("thread"), messages=[user()]))
    draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
    run = await world.gateway.runs.start(nobody, thread.id, draft)
    assert run.expires_at is not None
    assert await (await world.live_worker()).driving.claim(nobody, run.id) is not None


async def test_a_call_that_may_take_for_ever_may_take_a_day(world: World) -> None:
    """What a service announces is a number, and a time beyond the year 9999 could be read by nobody."""
    run = await world.parked(call("moodle", timeout=1e12), call("moodle", timeout=1e300))
    assert run.expires_at is not None
    assert (run.expires_at - run.created_at).total_seconds() < 90_000
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)


async def test_no_number_of_tool_rounds_keeps_a_run_alive_for_ever(world: World) -> None:
    run = await world.parked(call("moodle", timeout=1000.0))
    extended = run.expires_at
    assert extended is not None
    assert (extended - run.created_at).total_seconds() > 1000
    # Its own life ended a second ago, and the extension is what it lives of.
    await world.sql("UPDATE runs SET life_ends_at = clock_timestamp() - interval '1 s' WHERE id = $1", run.id)
    (asked,) = (await world.sql("SELECT id FROM tool_calls WHERE run_id = $1", run.id))[0]
    await world.gateway.answers.complete(world.tenant, run.id, asked, "x")
    worker = await world.live_worker()
    again = await world.claimed(worker, run)
    await worker.driving.park(again, new_id("step"), [call("moodle", timeout=5000.0)], Usage())
    assert (await world.read(run)).expires_at == extended


async def test_a_run_outlives_the_deadline_of_a_call_long_enough_to_be_told_of_it(lonely_world: World) -> None:
    """Otherwise a call that is allowed more time than its run has left could only ever end in an expired run."""
    world = lonely_world
    await world.sql("UPDATE tenants SET run_lifetime = interval '0.2 seconds'")
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.park(run, new_id("step"), [call("moodle", timeout=0.3)], Usage())
    async with asyncio.timeout(20):
        while await worker.sweeps.fail_overdue_calls() == 0:
            assert await worker.sweeps.expire_runs() == 0
            await asyncio.sleep(0.01)
    assert await worker.sweeps.expire_runs() == 0
    again = await world.claimed(worker, run)
    step = (await worker.driving.steps(again))[0]
    assert "did not answer in time" in (step.tool_calls[0].output or "")


async def test_large_inputs_pass(world: World) -> None:
    long = "ä" * 1_000_000
    messages = [user("x" * 50_000) for _ in range(100)]
    run = await world.start_run(*messages, instructions=long)
    assert run.instructions == long
    worker = await world.live_worker()
    claimed = await world.claimed(worker, run)
    await worker.driving.finish(claimed, answer(long))
    assert await world.outbox(run.thread_id)
    latest = await world.gateway.messages.latest(world.tenant, run.thread_id, 101)
    assert len(latest) == 101
    await world.gateway.threads.delete(world.tenant, run.thread_id)
