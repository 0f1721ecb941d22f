"""The sweeper goes on, whatever happens to one of its sweeps: it is the net below everything else."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import asyncpg
import pytest
from engine_world import World, call, user
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus
from run_engine.errors import DatabaseUnavailable
from run_engine.lease import LEASE
from run_engine.store.statements import load_statements
from run_engine.store.sweeps import BATCH, Sweeps
from run_engine.sweeper import PRUNE_EVERY, RETENTION, ROUNDS, STALE, TICK, Sweeper


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """Sweeps that do as they are told; the others do what they always do."""

    def __init__(self, sweeps: Sweeps, **told: Callable[..., Awaitable[int]]) -> None:
        self._sweeps = sweeps
        self._told = told

    def __getattr__(self, name: str) -> object:
        return self._told.get(name) or getattr(self._sweeps, name)


async def _lost_run(world: World) -> Run:
    dead = await world.live_worker()
    run = await world.claimed(dead)
    await dead.liveness.retire()
    return run


async def _tick_until_taken_over(sweeper: Sweeper, clock: Clock, world: World, run: Run) -> None:
    for _ in range(round(2 * LEASE / TICK)):
        with suppress(DatabaseUnavailable):
            await sweeper.tick()
        if (await world.read(run)).status is RunStatus.QUEUED:
            return
        clock.now += TICK.total_seconds()
    pytest.fail("nobody took the run over")


@pytest.mark.parametrize("broken", ["expire_runs", "queue_idle_runs", "fail_overdue_calls", "repeat_calls"])
async def test_a_sweep_that_fails_keeps_no_other_from_running(lonely_world: World, broken: str) -> None:
    async def fails() -> int:
        raise asyncpg.UniqueViolationError("surprise")

    world, clock = lonely_world, Clock()
    sweeps = Scripted((await world.live_worker()).sweeps, **{broken: fails})
    run = await _lost_run(world)
    await _tick_until_taken_over(Sweeper(sweeps, clock=clock), clock, world, run)  # type: ignore[arg-type]


async def test_pruning_that_takes_too_long_keeps_no_run_from_being_taken_over(lonely_world: World) -> None:
    async def too_long(_: timedelta) -> int:
        raise DatabaseUnavailable("PostgreSQL is unavailable (QueryCanceledError)")

    world, clock = lonely_world, Clock()
    sweeps = Scripted((await world.live_worker()).sweeps, prune_history=too_long)
    run = await _lost_run(world)
    await _tick_until_taken_over(Sweeper(sweeps, clock=clock), clock, world, run)  # type: ignore[arg-type]


async def test_a_tick_that_takes_long_is_no_outage(lonely_world: World) -> None:
    """So much to do, 100 overdue calls on a busy database for example, is no reason to leave lost runs alone."""
    world, clock = lonely_world, Clock()
    sweeps = (await world.live_worker()).sweeps

    async def busy() -> int:
        clock.now += STALE.total_seconds() - 1
        return await sweeps.fail_overdue_calls()

    run = await _lost_run(world)
    scripted = Scripted(sweeps, fail_overdue_calls=busy)
    await _tick_until_taken_over(Sweeper(scripted, clock=clock), clock, world, run)  # type: ignore[arg-type]


async def test_a_database_that_stands_still_during_a_tick_makes_the_sweeper_patient(lonely_world: World) -> None:
    """Its others could not renew meanwhile, and would lose their runs to the very tick that it woke up in."""
    world, clock = lonely_world, Clock()
    sweeps = (await world.live_worker()).sweeps
    still = STALE.total_seconds() + 1

    async def stands_still() -> int:
        clock.now += still
        return await sweeps.expire_runs()

    scripted = Scripted(sweeps)
    sweeper = Sweeper(scripted, clock=clock)  # type: ignore[arg-type]
    while clock.now <= 1000 + LEASE.total_seconds():
        await sweeper.tick()
        clock.now += TICK.total_seconds()
    run = await _lost_run(world)
    scripted._told["expire_runs"] = stands_still
    await sweeper.tick()
    assert (await world.read(run)).status is RunStatus.IN_PROGRESS
    del scripted._told["expire_runs"]
    await _tick_until_taken_over(sweeper, clock, world, run)


async def test_the_loop_outlives_what_a_tick_raises(lonely_world: World) -> None:
    ticks: list[str] = []

    async def away() -> int:
        ticks.append("away")
        raise DatabaseUnavailable("away")

    async def broken() -> int:
        ticks.append("broken")
        raise KeyError("surprise")

    async def pause(_: float) -> None:
        await asyncio.sleep(0.002)

    scripted = Scripted((await lonely_world.live_worker()).sweeps, expire_runs=away)
    sweeper = Sweeper(scripted, pause=pause)  # type: ignore[arg-type]
    await sweeper.start()
    async with asyncio.timeout(10):
        while ticks.count("away") < 3:
            await asyncio.sleep(0.002)
        scripted._told["expire_runs"] = broken
        while ticks.count("broken") < 3:
            await asyncio.sleep(0.002)
    await sweeper.stop()


async def test_a_run_that_cannot_be_moved_keeps_no_other_from_being_moved(lonely_world: World) -> None:
    world = lonely_world
    runs = [await world.start_run() for _ in range(3)]
    await world.sql("UPDATE runs SET expires_at = clock_timestamp()")
    await world.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$"
    )
    await world.sql(
        f"CREATE TRIGGER refuse BEFORE UPDATE ON runs FOR EACH ROW WHEN (OLD.id = '{runs[0].id}') "
        "EXECUTE FUNCTION refuse()"
    )
    alive = await world.live_worker()
    assert await alive.sweeps.expire_runs() == 2
    assert [(await world.read(run)).status for run in runs] == [RunStatus.QUEUED, RunStatus.EXPIRED, RunStatus.EXPIRED]
    assert len(alive.outbox_ids) == 2
    assert await world.outbox(runs[0].thread_id) == ["message.created", "run.queued"], "it is as it was"


async def test_all_runs_of_a_large_process_are_taken_over_in_one_tick(lonely_world: World) -> None:
    world, clock = lonely_world, Clock()
    alive, dead = await world.live_worker(), await world.live_worker()
    count = 2 * BATCH + 5
    await asyncio.gather(*(world.claimed(dead) for _ in range(count)))
    sweeper = Sweeper(alive.sweeps, clock=clock)
    while clock.now < 1000 + LEASE.total_seconds():
        await sweeper.tick()
        clock.now += TICK.total_seconds()
    await dead.liveness.retire()
    await sweeper.tick()
    assert await world.sql(
        "SELECT 1 FROM runs WHERE status = 'queued'",
    ) == await world.sql("SELECT 1 FROM runs")


async def test_calls_that_nobody_waits_for_do_not_stand_before_the_others(lonely_world: World) -> None:
    world = lonely_world
    worker = await world.live_worker()
    stale = await world.parked(*(call("moodle", timeout=1) for _ in range(BATCH + 1)))
    await world.sql("UPDATE runs SET status = 'completed' WHERE id = $1", stale.id)
    await world.sql("UPDATE tool_calls SET deadline = clock_timestamp() - interval '1 hour'")
    overdue = call("moodle")
    waiting = await world.parked(overdue)
    await world.sql("UPDATE tool_calls SET deadline = clock_timestamp() WHERE id = $1", overdue.id)
    assert await worker.sweeps.fail_overdue_calls() == 1
    assert (await world.read(waiting)).status is RunStatus.QUEUED


async def test_a_run_that_a_live_worker_has_claimed_meanwhile_is_not_taken_away(
    lonely_world: World, lonely_url: str
) -> None:
    """Two sweepers begin at once; before the second one reaches the run, it was queued again and claimed again."""
    world = lonely_world
    first = await world.live_worker()
    run = await _lost_run(world)
    # A clock that waits at a gate holds the second sweeper's statement between its snapshot and its locks.
    await world.sql("CREATE SCHEMA gate")
    await world.sql(
        "CREATE FUNCTION gate.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_advisory_lock_shared(42), pg_advisory_unlock_shared(42); "
        "RETURN pg_catalog.clock_timestamp(); END $$"
    )
    statement = load_statements()["lost_runs"]
    values: dict[str, object] = {"lease": LEASE, "limit": 10}
    gatekeeper = await asyncpg.connect(lonely_url)
    await gatekeeper.execute("SELECT pg_advisory_lock(42)")
    second = await asyncpg.connect(lonely_url, server_settings={"search_path": "gate, pg_catalog, public"})
    finding = asyncio.create_task(second.fetch(statement.text, *statement.arguments(values)))
    async with asyncio.timeout(20):
        while not await world.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"):
            await asyncio.sleep(0.005)
    assert await first.sweeps.requeue_lost_runs(LEASE) == 1
    newcomer = await world.live_worker()  # which the snapshot of the second sweeper does not show
    again = await world.claimed(newcomer, run)
    await gatekeeper.execute("SELECT pg_advisory_unlock(42)")
    assert await finding == [], f"attempt {again.attempt} lives"
    await second.close()
    await gatekeeper.close()


async def test_events_of_a_process_that_nobody_knows_are_adopted(lonely_world: World) -> None:
    """Its liveness row was pruned while its last commit was on its way, or it never had one."""
    world = lonely_world
    unknown, alive = world.worker("unknown"), await world.live_worker()
    run = await world.start_run()
    await world.sql("UPDATE outbox SET owner = $1", unknown.name)
    assert await alive.sweeps.adopt_outbox(LEASE) == 2
    assert [row.thread_id for row in await alive.table.unpublished(alive.outbox_ids)] == [run.thread_id] * 2
    other = await world.live_worker()
    assert await other.sweeps.adopt_outbox(LEASE) == 0, "a live process keeps what it has adopted"


async def test_a_mountain_of_events_is_adopted_in_batches(lonely_world: World) -> None:
    world, clock = lonely_world, Clock()
    dead, alive = await world.live_worker(), await world.live_worker()
    await world.sql(
        "INSERT INTO outbox (owner, producer, tenant_id, thread_id, type, subject, data, created_at) "
        "SELECT $1, $1, 't', 'thread_' || i % 100, 'x', 'x', '{}', clock_timestamp() FROM generate_series(1, 12000) i",
        dead.name,
    )
    await dead.liveness.retire()
    assert 0 < await alive.sweeps.adopt_outbox(LEASE) < 12000
    sweeper = Sweeper(alive.sweeps, clock=clock)
    while clock.now <= 1000 + LEASE.total_seconds():
        await sweeper.tick()
        clock.now += TICK.total_seconds()
    assert len(set(alive.outbox_ids)) == len(await alive.table.owned(alive.name, 20_000)) == 12000


async def test_a_mountain_of_history_is_pruned_over_some_ticks(lonely_world: World) -> None:
    world, clock = lonely_world, Clock()
    ended, live = await world.start_run(), await world.start_run(user())
    await world.gateway.runs.cancel(world.tenant, ended.thread_id, ended.id)
    rows = 2 * ROUNDS * BATCH
    for run in (ended, live):
        await world.sql(
            "INSERT INTO run_events (tenant_id, run_id, seq, type, subject, data, created_at) "
            "SELECT $1, $2, i, 'x', 'x', '{}', clock_timestamp() - interval '8 days' "
            "FROM generate_series(10, $3::int) i",
            world.tenant,
            run.id,
            rows,
        )
    asked: list[timedelta] = []
    sweeps = (await world.live_worker()).sweeps

    async def prune(retention: timedelta) -> int:
        asked.append(retention)
        return await sweeps.prune_history(retention)

    sweeper = Sweeper(Scripted(sweeps, prune_history=prune), clock=clock)  # type: ignore[arg-type]
    for _ in range(4):
        await sweeper.tick()
        clock.now += TICK.total_seconds()
    left = {
        row["run_id"]: row["rows"]
        for row in await world.sql("SELECT run_id, count(*)::int AS rows FROM run_events GROUP BY run_id")
    }
    assert left == {ended.id: 2, live.id: rows - 8}
    before = len(asked)
    await sweeper.tick()
    assert len(asked) == before, "there was nothing left, so it waits its time"
    clock.now += PRUNE_EVERY.total_seconds()
    await sweeper.tick()
    assert asked[-1] == RETENTION
    assert len(asked) > before
