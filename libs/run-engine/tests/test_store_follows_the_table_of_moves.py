"""The hot statements carry their row of the table of moves in their WHERE: here each meets every status."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from engine_world import Worker, World, answer, call, new_id
from run_engine.domain.moves import MOVES, Trigger
from run_engine.domain.objects import Run, Usage
from run_engine.domain.status import DRIVEN, PARKED, RunStatus
from run_engine.errors import EngineError
from run_engine.lease import LEASE

Move = Callable[[World, Worker, Run], Awaitable[object]]


async def _claim(world: World, worker: Worker, run: Run) -> object:
    return await worker.driving.claim(world.tenant, run.id)


async def _finish(_: World, worker: Worker, run: Run) -> object:
    return await worker.driving.finish(run, answer())


async def _cut_short(_: World, worker: Worker, run: Run) -> object:
    return await worker.driving.finish(run, replace(answer(), incomplete_reason="max_completion_tokens"))


async def _cut_short_without_a_message(_: World, worker: Worker, run: Run) -> object:
    return await worker.driving.cut_short(run, "max_prompt_tokens", Usage())


async def _park_for_client(_: World, worker: Worker, run: Run) -> object:
    return await worker.driving.park(run, new_id("step"), [call(), call("moodle")], Usage())


async def _park_for_services(_: World, worker: Worker, run: Run) -> object:
    return await worker.driving.park(run, new_id("step"), [call("moodle")], Usage())


async def _fail(_: World, worker: Worker, run: Run) -> object:
    return await worker.driving.fail(run, "server_error", "x")


async def _obey_cancel(_: World, worker: Worker, run: Run) -> object:
    return await worker.driving.obey_cancel(run)


async def _hand_back(_: World, worker: Worker, run: Run) -> object:
    return await worker.driving.hand_back(run.tenant_id, run.id, run.attempt)


async def _cancel(world: World, _: Worker, run: Run) -> object:
    return await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)


MOVERS: list[tuple[Trigger, Move]] = [
    (Trigger.CLAIM, _claim),
    (Trigger.COMPLETE, _finish),
    (Trigger.CUT_SHORT, _cut_short),
    (Trigger.CUT_SHORT, _cut_short_without_a_message),
    (Trigger.PARK_FOR_CLIENT, _park_for_client),
    (Trigger.PARK_FOR_SERVICES, _park_for_services),
    (Trigger.FAIL, _fail),
    (Trigger.OBEY_CANCEL, _obey_cancel),
    (Trigger.HAND_BACK, _hand_back),
    (Trigger.CANCEL, _cancel),
]


async def put_into(world: World, worker: Worker, status: RunStatus) -> Run:
    """A run in `status`, with the worker and the open calls that belong to it."""
    run = await world.start_run()
    driven = status in DRIVEN
    await world.sql(
        "UPDATE runs SET status = $2, attempt = 1, worker = $3, open_client_calls = $4, open_server_calls = $5"
        " WHERE id = $1",
        run.id,
        status.value,
        worker.name if driven else None,
        1 if status is RunStatus.REQUIRES_ACTION else 0,
        1 if status in PARKED else 0,
    )
    if status.ended:
        await world.sql("UPDATE threads SET active_run = NULL WHERE id = $1", run.thread_id)
    return await world.read(run)


@pytest.mark.parametrize("status", list(RunStatus))
@pytest.mark.parametrize(("trigger", "move"), MOVERS)
async def test_a_statement_moves_as_the_table_says(
    world: World, trigger: Trigger, move: Move, status: RunStatus
) -> None:
    worker = await world.live_worker()
    run = await put_into(world, worker, status)
    refused = False
    try:
        await move(world, worker, run)
    except EngineError:
        refused = True
    after = await world.read(run)
    assert after.status is MOVES.get((status, trigger), status)
    if (status, trigger) in MOVES:
        assert not refused
        assert after.attempt == (2 if trigger is Trigger.CLAIM else 1)
        assert after.seq > run.seq
        assert (await world.active_run(run) is None) is after.status.ended
    else:
        assert after == run, "a refused move changes nothing"


@pytest.mark.parametrize("status", list(RunStatus))
async def test_expiry_ends_every_unfinished_run(lonely_world: World, status: RunStatus) -> None:
    world = lonely_world
    worker = await world.live_worker()
    run = await put_into(world, worker, status)
    await world.sql("UPDATE runs SET expires_at = clock_timestamp() WHERE id = $1", run.id)
    assert await worker.sweeps.expire_runs() == (0 if status.ended else 1)
    assert (await world.read(run)).status is MOVES.get((status, Trigger.EXPIRE), status)


@pytest.mark.parametrize("status", list(RunStatus))
@pytest.mark.parametrize("lost_before", [0, 2])
async def test_a_dead_worker_loses_its_run(lonely_world: World, status: RunStatus, lost_before: int) -> None:
    world = lonely_world
    dead, alive = await world.live_worker(), await world.live_worker()
    run = await put_into(world, dead, status)
    await world.sql("UPDATE runs SET lost_workers = $2 WHERE id = $1", run.id, lost_before)
    await dead.liveness.retire()
    assert await alive.sweeps.requeue_lost_runs(LEASE) == (1 if status in DRIVEN else 0)
    trigger = Trigger.GIVE_UP if lost_before == 2 else Trigger.LOSE_WORKER
    assert (await world.read(run)).status is MOVES.get((status, trigger), status)
