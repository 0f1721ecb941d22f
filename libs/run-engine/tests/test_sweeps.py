"""The sweeper: what it moves, what it leaves, and how patient it is."""

from datetime import timedelta

import orjson
import pytest
from engine_world import World, call, new_id, user
from run_engine.domain.objects import Usage
from run_engine.domain.status import RunStatus, StepStatus
from run_engine.errors import NotFound
from run_engine.lease import LEASE
from run_engine.sweeper import STALE, TICK, Sweeper


async def test_a_lost_run_is_queued_and_woken(lonely_world: World) -> None:
    world = lonely_world
    dead, alive = await world.live_worker(), await world.live_worker()
    run = await world.claimed(dead)
    assert await alive.sweeps.requeue_lost_runs(LEASE) == 0, "a live worker keeps its run"
    await dead.liveness.retire()
    assert await alive.sweeps.requeue_lost_runs(LEASE) == 1
    assert await alive.sweeps.requeue_lost_runs(LEASE) == 0
    again = await world.claimed(alive, run)
    assert again.attempt == 2
    assert (await world.outbox(run.thread_id))[-3:] == ["run.queued", "run.requested", "run.in_progress"]


async def test_a_run_whose_worker_was_never_registered_is_lost(lonely_world: World) -> None:
    world = lonely_world
    run = await world.claimed(world.worker("ghost"))
    alive = await world.live_worker()
    assert await alive.sweeps.requeue_lost_runs(LEASE) == 1
    assert (await world.read(run)).status is RunStatus.QUEUED


async def test_the_third_lost_worker_ends_the_run(lonely_world: World) -> None:
    world = lonely_world
    alive = await world.live_worker()
    run = await world.start_run()
    for _ in range(3):
        dead = await world.live_worker()
        await world.claimed(dead, run)
        await dead.liveness.retire()
        assert await alive.sweeps.requeue_lost_runs(LEASE) == 1
    failed = await world.read(run)
    assert failed.status is RunStatus.FAILED
    assert failed.last_error is not None
    assert failed.last_error["code"] == "server_error"
    await world.outbox(run.thread_id)


async def test_an_expired_run_closes_its_step_and_frees_its_thread(lonely_world: World) -> None:
    world = lonely_world
    run = await world.parked(call())
    await world.sql("UPDATE runs SET expires_at = clock_timestamp() WHERE id = $1", run.id)
    sweeps = (await world.live_worker()).sweeps
    assert await sweeps.expire_runs() == 1
    assert await sweeps.expire_runs() == 0
    assert (await world.read(run)).status is RunStatus.EXPIRED
    assert (await world.gateway.driving.steps(run))[0].status is StepStatus.EXPIRED
    assert (await world.events(run))[-2:] == ["run-step.expired", "run.expired"]
    await world.gateway.messages.create(world.tenant, run.thread_id, user())
    await world.outbox(run.thread_id)


async def test_an_overdue_call_is_answered_with_an_error(lonely_world: World) -> None:
    world = lonely_world
    slow, quick = call("moodle", timeout=0.001), call("moodle", timeout=60)
    run = await world.parked(slow, quick)
    sweeps = (await world.live_worker()).sweeps
    await world.sql("UPDATE tool_calls SET deadline = clock_timestamp() WHERE id = $1", slow.id)
    assert await sweeps.fail_overdue_calls() == 1
    assert await sweeps.fail_overdue_calls() == 0
    assert not await world.gateway.answers.complete(world.tenant, run.id, slow.id, "too late")
    assert await world.gateway.answers.complete(world.tenant, run.id, quick.id, "in time")
    outputs = [tool.output for tool in (await world.gateway.driving.steps(run))[0].tool_calls]
    assert orjson.loads(outputs[0] or "")["error"]["code"] == "timeout"
    assert outputs[1] == "in time"
    assert (await world.read(run)).status is RunStatus.QUEUED


async def test_calls_of_ended_runs_are_left_alone(lonely_world: World) -> None:
    world = lonely_world
    overdue = call("moodle", timeout=0)
    run = await world.parked(overdue)
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    assert await world.sql("SELECT 1 FROM tool_calls WHERE deadline IS NOT NULL OR repeat_at IS NOT NULL") == []
    sweeps = (await world.live_worker()).sweeps
    assert await sweeps.fail_overdue_calls() == 0
    assert await sweeps.repeat_calls() == 0


async def test_an_unanswered_call_is_requested_once_more(lonely_world: World) -> None:
    world = lonely_world
    asked = call("moodle", timeout=60)
    run = await world.parked(asked)
    sweeps = (await world.live_worker()).sweeps
    assert await sweeps.repeat_calls() == 0, "not before half of its time"
    await world.sql("UPDATE tool_calls SET repeat_at = clock_timestamp()")
    assert await sweeps.repeat_calls() == 1
    assert await sweeps.repeat_calls() == 0
    published = await world.outbox(run.thread_id)
    assert published.count("tool-call.requested") == 2
    first, second = await world.sql(
        "SELECT data::text FROM outbox WHERE type = 'threadworks.tool-call.requested.v1' ORDER BY id"
    )
    assert first["data"] == second["data"], "the same call, word for word"


async def test_a_parked_run_without_open_calls_is_queued(lonely_world: World) -> None:
    world = lonely_world
    run = await world.parked(call())
    await world.sql("UPDATE runs SET open_client_calls = 0 WHERE id = $1", run.id)
    assert await (await world.live_worker()).sweeps.queue_idle_runs() == 1
    assert (await world.read(run)).status is RunStatus.QUEUED


async def test_imported_runs_are_neither_claimed_nor_swept(lonely_world: World) -> None:
    world = lonely_world
    alive = await world.live_worker()
    run = await world.start_run()
    await world.sql("UPDATE runs SET driven = false, expires_at = clock_timestamp() WHERE id = $1", run.id)
    assert await alive.driving.claim(world.tenant, run.id) is None
    assert await alive.driving.queued(10) == []
    assert await alive.sweeps.expire_runs() == 0


async def test_the_outbox_of_a_dead_process_is_adopted(lonely_world: World) -> None:
    world = lonely_world
    await world.gateway.liveness.register()
    run = await world.start_run()
    alive, other = await world.live_worker(), await world.live_worker()
    assert await alive.sweeps.adopt_outbox(LEASE) == 0
    await world.gateway.liveness.retire()
    assert await alive.sweeps.adopt_outbox(LEASE) == 2
    assert await other.sweeps.adopt_outbox(LEASE) == 0
    assert alive.outbox_ids == await alive.table.owned(alive.name, 10)
    assert [row.thread_id for row in await alive.table.unpublished(alive.outbox_ids)] == [run.thread_id] * 2


async def test_pruning_forgets_old_history_and_dead_processes_that_hold_nothing(lonely_world: World) -> None:
    world = lonely_world
    holding, empty = await world.live_worker(), await world.live_worker()
    run = await world.claimed(holding)
    ended = await world.start_run()
    await world.gateway.runs.cancel(world.tenant, ended.thread_id, ended.id)
    await holding.liveness.retire()
    await empty.liveness.retire()
    alive = await world.live_worker()
    await world.sql("UPDATE run_events SET created_at = clock_timestamp() - interval '8 days'")
    assert await alive.sweeps.prune_history(timedelta(days=7)) == 2
    await alive.sweeps.prune_workers(timedelta(days=7))
    assert await world.events(ended) == []
    assert await world.events(run) != [], "a run that is not over keeps its history"
    left = {row["id"] for row in await world.sql("SELECT id FROM workers")}
    assert empty.name not in left
    assert {holding.name, alive.name} <= left


async def test_deleting_a_thread_takes_everything_with_it(lonely_world: World) -> None:
    world = lonely_world
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.park(run, new_id("step"), [call("moodle")], Usage())
    await world.gateway.threads.delete(world.tenant, run.thread_id)
    with pytest.raises(NotFound):
        await world.gateway.threads.get(world.tenant, run.thread_id)
    with pytest.raises(NotFound):
        await world.gateway.threads.delete(world.tenant, run.thread_id)
    for table in ("threads", "messages", "runs", "run_steps", "tool_calls", "run_events"):
        assert await world.sql(f"SELECT 1 FROM {table}") == [], table
    assert "run.cancelled" in await world.outbox(run.thread_id), "those who follow the run are told"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_new_sweeper_waits_one_lease_before_it_takes_anything_away(lonely_world: World) -> None:
    world, clock = lonely_world, Clock()
    dead, alive = await world.live_worker(), await world.live_worker()
    run = await world.claimed(dead)
    await dead.liveness.retire()
    sweeper = Sweeper(alive.sweeps, clock=clock)
    while clock.now < 1000.0 + LEASE.total_seconds():
        await sweeper.tick()
        assert (await world.read(run)).status is RunStatus.IN_PROGRESS
        clock.now += TICK.total_seconds()
    await sweeper.tick()
    assert (await world.read(run)).status is RunStatus.QUEUED


async def test_a_sweeper_is_patient_again_after_an_outage(lonely_world: World) -> None:
    world, clock = lonely_world, Clock()
    dead, alive = await world.live_worker(), await world.live_worker()
    sweeper = Sweeper(alive.sweeps, clock=clock)
    while clock.now <= 1000.0 + LEASE.total_seconds():
        await sweeper.tick()
        clock.now += TICK.total_seconds()
    run = await world.claimed(dead)
    await dead.liveness.retire()
    clock.now += STALE.total_seconds() + 1  # the database was away: no tick succeeded
    await sweeper.tick()
    assert (await world.read(run)).status is RunStatus.IN_PROGRESS
    for _ in range(5):
        clock.now += TICK.total_seconds()
        await sweeper.tick()
    assert (await world.read(run)).status is RunStatus.QUEUED
