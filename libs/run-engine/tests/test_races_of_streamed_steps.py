"""What can meet on a step that is begun in the open: whoever comes first, nothing of it is left half done."""

from engine_world import World, answer, call, new_id, text
from run_engine.domain.objects import Run, Usage
from run_engine.domain.status import RunStatus
from run_engine.errors import Fenced
from run_engine.store.driving import Said
from test_races import check_whole, expire, meet, tries

TRIES = 100
BEGUN = ["run.queued", "run.in_progress", "run-step.created"]


async def check_nothing_is_open(world: World, run: Run) -> Run:
    """What holds for a run that has ended or waits."""
    now = await check_whole(world, run)
    found = await world.sql(
        "SELECT (SELECT count(*) FROM messages WHERE run_id = $1 AND status = 'in_progress') AS messages,"
        " (SELECT count(*) FROM run_steps WHERE run_id = $1 AND status = 'in_progress') AS steps",
        run.id,
    )
    assert (found[0]["messages"], found[0]["steps"]) == (0, 0)
    await world.outbox(run.thread_id)
    return now


async def test_a_step_is_begun_once_however_often_its_beginning_is_sent(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        run = await world.claimed(worker)
        step_id, message_id = new_id("step"), new_id("message")
        begun = await meet(*(worker.driving.open_step(run, step_id, message_id) for _ in range(3)))
        assert sorted(event is None for event in begun) == [False, True, True]
        assert await world.events(run) == BEGUN
        return (await check_whole(world, run)).status

    assert await tries(one, TRIES) == {"in_progress": TRIES}


async def test_a_message_is_completed_once_however_often_that_is_sent(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        run = await world.claimed(worker)
        said = Said(step_id=new_id("step"), message_id=new_id("message"), content=text("Let me look."))
        await meet(
            worker.driving.open_step(run, said.step_id, said.message_id),
            *(worker.driving.say(run, said) for _ in range(2)),
        )
        events = await world.events(run)
        assert events == [*BEGUN, "message.completed", "run-step.completed"]
        await check_nothing_is_open(world, run)
        return events[-1]

    assert await tries(one, TRIES) == {"run-step.completed": TRIES}


async def test_a_cancellation_while_a_step_is_begun(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        run = await world.claimed(worker)
        _, begun = await meet(
            world.gateway.runs.cancel(world.tenant, run.thread_id, run.id),
            worker.driving.open_step(run, new_id("step"), new_id("message")),
        )
        await check_whole(world, run)
        await worker.driving.obey_cancel(run, text("half a"))
        assert (await check_nothing_is_open(world, run)).status is RunStatus.CANCELLED
        return "cancelled first" if isinstance(begun, Fenced) else "begun first"

    assert set(await tries(one, TRIES)) == {"cancelled first", "begun first"}


async def test_an_expiry_while_a_step_is_begun(lonely_world: World) -> None:
    world = lonely_world
    worker = await world.live_worker()
    sweeper = await world.live_worker("gateway")

    async def one() -> str:
        run = await world.claimed(worker)
        _, begun = await meet(
            expire(world, sweeper, run), worker.driving.open_step(run, new_id("step"), new_id("message"))
        )
        assert (await check_nothing_is_open(world, run)).status is RunStatus.EXPIRED
        return "expired first" if isinstance(begun, Fenced) else "begun first"

    assert set(await tries(one, TRIES)) <= {"expired first", "begun first"}


async def test_a_run_is_handed_back_while_its_step_is_begun_or_parked(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        run = await world.claimed(worker)
        step_id = new_id("step")
        _, _, parked = await meet(
            worker.driving.hand_back(world.tenant, run.id, run.attempt),
            worker.driving.open_step(run, step_id, None),
            worker.driving.park(run, step_id, [call()], Usage()),
        )
        now = await check_whole(world, run)
        if isinstance(parked, Fenced):
            assert now.status is RunStatus.QUEUED
            await check_nothing_is_open(world, run)
            await worker.driving.finish(await world.claimed(worker, run), answer())
            await check_nothing_is_open(world, run)
            return "handed back"
        assert now.status is RunStatus.REQUIRES_ACTION
        return "parked"

    assert set(await tries(one, TRIES)) == {"handed back", "parked"}


async def test_a_message_is_finished_while_its_beginning_is_still_under_way(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        run = await world.claimed(worker)
        given = answer()
        begun, _ = await meet(
            worker.driving.open_step(run, given.step_id, given.message_id), worker.driving.finish(run, given)
        )
        assert await world.events(run) == [*BEGUN, "message.completed", "run-step.completed", "run.completed"]
        assert (await check_nothing_is_open(world, run)).status is RunStatus.COMPLETED
        return "finished first" if isinstance(begun, Fenced) else "begun first"

    assert set(await tries(one, TRIES)) == {"finished first", "begun first"}
