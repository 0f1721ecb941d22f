"""Everything that can meet on one run, hundreds of times on a real PostgreSQL: whoever comes first, the rules hold.

Each try has contenders that start at the same moment, shifted against each other by up to two milliseconds, about as
long as a statement takes. What is asserted holds for every interleaving; that both outcomes were seen is asserted
where both must be possible, so that a race that never happens does not pass for one that is won.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

from engine_world import Worker, World, answer, call, new_id, user
from run_engine.domain.drafts import NewRun
from run_engine.domain.objects import Run, Usage
from run_engine.domain.status import DRIVEN, ENDED, RunStatus, StepStatus
from run_engine.errors import EngineError, Fenced, IllegalMove, NotFound, ThreadBusy
from run_engine.lease import LEASE
from run_engine.outbox.relay import Delivery, Relay

TRIES = 200
AT_ONCE = 6


async def tries(one: Callable[[], Awaitable[str]], count: int = TRIES) -> Counter[str]:
    """Runs `one` so many times, a few at once, and counts what it reports."""
    seen: Counter[str] = Counter()
    left = iter(range(count))

    async def some() -> None:
        for _ in left:
            seen[await one()] += 1

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    assert sum(seen.values()) == count
    return seen


async def meet(*contenders: Awaitable[object]) -> list[object]:
    """Starts all at once, each shifted by chance; gives results and refusals of the engine, and raises all else."""

    async def shifted(contender: Awaitable[object]) -> object:
        await asyncio.sleep(random.random() * 0.002)
        return await contender

    results = await asyncio.gather(*(shifted(contender) for contender in contenders), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, EngineError):
            raise result
    return list(results)


async def check_whole(world: World, run: Run) -> Run:
    """What holds for every run at every moment, seen in one snapshot: other tries may sweep this run meanwhile."""
    found = await world.sql(
        "SELECT r.*, t.active_run,"
        " (SELECT count(*) FROM tool_calls c WHERE c.run_id = r.id AND c.answered_at IS NULL) AS open_calls,"
        " (SELECT count(*) FROM run_steps s WHERE s.run_id = r.id AND s.status = 'in_progress') AS open_steps,"
        " (SELECT array_agg(seq ORDER BY seq) FROM run_events e WHERE e.run_id = r.id) AS numbers"
        " FROM runs r JOIN threads t ON t.tenant_id = r.tenant_id AND t.id = r.thread_id"
        " WHERE r.tenant_id = $1 AND r.id = $2",
        world.tenant,
        run.id,
    )
    row = found[0]
    status = RunStatus(row["status"])
    assert row["numbers"] == list(range(1, row["seq"] + 1))
    assert row["active_run"] == (None if status in ENDED else run.id)
    assert (row["worker"] is not None) is (status in DRIVEN)
    if status in ENDED:
        assert row["open_steps"] == 0
    else:
        assert row["open_client_calls"] + row["open_server_calls"] == row["open_calls"]
    return await world.read(run)


async def expire(world: World, sweeper: Worker, run: Run) -> Run:
    """Sweeps until the run has expired: a sweep skips what the sweep of another try is just expiring."""
    await world.sql("UPDATE runs SET expires_at = clock_timestamp() WHERE id = $1", run.id)
    async with asyncio.timeout(10):
        while not (await world.read(run)).status.ended:
            await sweeper.sweeps.expire_runs()
    return await check_whole(world, run)


async def test_two_answers_of_one_step_at_once(world: World) -> None:
    async def one() -> str:
        first, second = call("moodle"), call("moodle")
        run = await world.parked(first, second)
        answers = world.gateway.answers
        assert await meet(
            answers.complete(world.tenant, run.id, first.id, "1"),
            answers.complete(world.tenant, run.id, second.id, "2"),
        ) == [True, True]
        now = await check_whole(world, run)
        assert (await world.events(run))[-2:] == ["run-step.completed", "run.queued"]
        completed = (
            await world.sql(
                "SELECT data FROM run_events WHERE run_id = $1 AND type LIKE '%run-step.completed%'", run.id
            )
        )[0]["data"]
        assert '"output": null' not in completed, "the event shows both outputs, whichever came last"
        return now.status

    assert await tries(one) == {"queued": TRIES}


async def test_the_same_answer_twice_at_once(world: World) -> None:
    async def one() -> str:
        asked = call("moodle")
        run = await world.parked(asked)
        answers = world.gateway.answers
        stored = await meet(*(answers.complete(world.tenant, run.id, asked.id, str(n)) for n in range(3)))
        assert sorted(map(bool, stored)) == [False, False, True]
        assert (await world.events(run)).count("run.queued") == 2
        return (await check_whole(world, run)).status

    assert await tries(one) == {"queued": TRIES}


async def test_client_and_service_answer_at_once(world: World) -> None:
    async def one() -> str:
        ours, theirs = call(), call("moodle")
        run = await world.parked(ours, theirs)
        await meet(
            world.gateway.runs.submit_outputs(world.tenant, run.thread_id, run.id, [(ours.id, "o")]),
            world.gateway.answers.complete(world.tenant, run.id, theirs.id, "t"),
        )
        assert (await check_whole(world, run)).status is RunStatus.QUEUED
        return "client first" if "run.awaiting_tools" in await world.events(run) else "service first"

    assert set(await tries(one)) == {"client first", "service first"}


async def test_cancel_against_completion(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        run = await world.claimed(worker)
        cancelled, finished = await meet(
            world.gateway.runs.cancel(world.tenant, run.thread_id, run.id), worker.driving.finish(run, answer())
        )
        assert finished is None, "a worker that is still driving is never fenced by a cancellation"
        now = await check_whole(world, run)
        assert now.status is RunStatus.COMPLETED
        if isinstance(cancelled, IllegalMove):
            assert cancelled.status == "completed"
            return "too late"
        return "asked before"

    assert set(await tries(one)) == {"too late", "asked before"}


async def test_cancel_against_claim(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        run = await world.start_run()
        cancelled, claimed = await meet(
            world.gateway.runs.cancel(world.tenant, run.thread_id, run.id),
            worker.driving.claim(world.tenant, run.id),
        )
        assert isinstance(cancelled, Run)
        now = await check_whole(world, run)
        if claimed is None:
            assert now.status is RunStatus.CANCELLED
            return "cancelled first"
        assert now.status is RunStatus.CANCELLING
        await worker.driving.obey_cancel(claimed)  # type: ignore[arg-type]
        assert (await check_whole(world, run)).status is RunStatus.CANCELLED
        return "claimed first"

    assert set(await tries(one)) == {"cancelled first", "claimed first"}


async def test_two_claims_of_one_run(world: World) -> None:
    workers = [await world.live_worker() for _ in range(3)]

    async def one() -> str:
        run = await world.start_run()
        claims = await meet(*(worker.driving.claim(world.tenant, run.id) for worker in workers))
        assert sum(claim is not None for claim in claims) == 1
        assert (await check_whole(world, run)).attempt == 1
        return "one"

    assert await tries(one) == {"one": TRIES}


async def test_deletion_against_run_end(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        run = await world.claimed(worker)
        deleted, finished = await meet(
            world.gateway.threads.delete(world.tenant, run.thread_id), worker.driving.finish(run, answer())
        )
        assert deleted is None
        for table in ("messages", "runs", "run_steps"):
            column = "id" if table == "runs" else "run_id"
            assert await world.sql(f"SELECT 1 FROM {table} WHERE {column} = $1", run.id) == []
        assert await world.sql("SELECT 1 FROM run_events WHERE run_id = $1", run.id) == []
        return "fenced" if isinstance(finished, Fenced) else "finished first"

    assert set(await tries(one)) == {"fenced", "finished first"}


async def test_deletion_against_run_start(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        ended = await world.claimed(worker)
        await worker.driving.finish(ended, answer())
        thread_id = ended.thread_id
        draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
        deleted, started = await meet(
            world.gateway.threads.delete(world.tenant, thread_id),
            world.gateway.runs.start(world.tenant, thread_id, draft, [user()]),
        )
        assert deleted is None
        assert await world.sql("SELECT 1 FROM runs WHERE thread_id = $1", thread_id) == []
        assert await world.sql("SELECT 1 FROM messages WHERE thread_id = $1", thread_id) == []
        return "too late" if isinstance(started, NotFound) else "started first"

    assert set(await tries(one)) == {"too late", "started first"}


async def test_renewal_against_claim(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        run = await world.start_run()
        claimed, owned = await meet(worker.driving.claim(world.tenant, run.id), worker.liveness.renew())
        assert isinstance(claimed, Run)
        reported = {report.run_id for report in owned}  # type: ignore[attr-defined]
        # Whatever this snapshot showed, the next renewal after the claim's return must show the run.
        assert run.id in {report.run_id for report in await worker.liveness.renew()}
        await worker.driving.finish(claimed, answer())
        return "seen" if run.id in reported else "not yet seen"

    assert set(await tries(one)) == {"seen", "not yet seen"}


async def test_two_relays_on_one_run(world: World) -> None:
    async def one() -> str:
        worker = await world.live_worker()
        gateway = world.worker("gateway")
        published: list[tuple[str, int | None]] = []

        async def publish(rows: list) -> list[Delivery]:  # type: ignore[type-arg]
            published.extend((row.run_id, row.seq) for row in rows)
            await asyncio.sleep(0)
            return [None] * len(rows)

        relays = [Relay(world.gateway.table, publish, owner=name) for name in (gateway.name, worker.name)]  # type: ignore[arg-type]
        for relay in relays:
            await relay.start()
        before = len(world.gateway.outbox_ids)
        run = await world.start_run()
        claimed = await world.claimed(worker, run)
        ours, theirs = world.gateway.outbox_ids[before:], list(worker.outbox_ids)
        mine = [i for i in ours if i in await _ids_of(world, run)]

        async def poke(relay: Relay, ids: list[int]) -> None:
            relay.poke(ids)

        await meet(poke(relays[0], mine), poke(relays[1], theirs))
        await worker.driving.finish(claimed, answer())
        relays[1].poke(worker.outbox_ids[len(theirs) :])
        for relay in relays:
            await asyncio.wait_for(relay._idle.wait(), 20)
            await relay.stop()
        first = list(dict.fromkeys(seq for run_id, seq in published if run_id == run.id and seq is not None))
        assert first == [1, 2, 3, 4, 5, 6], "first deliveries are in order"
        assert await world.outbox(run.thread_id) == []
        return "repeated" if len(published) > 7 else "once"

    await tries(one)


async def _ids_of(world: World, run: Run) -> set[int]:
    rows = await world.sql("SELECT id FROM outbox WHERE thread_id = $1", run.thread_id)
    return {row["id"] for row in rows}


async def test_expiry_against_answer(lonely_world: World) -> None:
    world = lonely_world
    sweeper = await world.live_worker()

    async def one() -> str:
        asked = call("moodle")
        run = await world.parked(asked)
        await world.sql("UPDATE runs SET expires_at = clock_timestamp() WHERE id = $1", run.id)
        await meet(sweeper.sweeps.expire_runs(), world.gateway.answers.complete(world.tenant, run.id, asked.id, "x"))
        assert (await expire(world, sweeper, run)).status is RunStatus.EXPIRED
        step = (await world.gateway.driving.steps(run))[0]
        return "answered first" if step.status is StepStatus.COMPLETED else "expired first"

    assert set(await tries(one)) == {"answered first", "expired first"}


async def test_message_against_run_creation(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        ended = await world.claimed(worker)
        await worker.driving.finish(ended, answer())
        draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
        started, added = await meet(
            world.gateway.runs.start(world.tenant, ended.thread_id, draft),
            world.gateway.messages.create(world.tenant, ended.thread_id, user("late?")),
        )
        assert isinstance(started, Run)
        if isinstance(added, ThreadBusy):
            assert added.run_id == started.id
            return "locked out"
        assert added.created_at <= started.created_at, "no message slips in after the run"  # type: ignore[attr-defined]
        return "added before"

    assert set(await tries(one)) == {"locked out", "added before"}


async def test_two_runs_on_one_thread(world: World) -> None:
    worker = await world.live_worker()

    async def one() -> str:
        ended = await world.claimed(worker)
        await worker.driving.finish(ended, answer())
        drafts = [NewRun(id=new_id("run"), assistant_id=world.assistant_id) for _ in range(3)]
        results = await meet(
            *(world.gateway.runs.start(world.tenant, ended.thread_id, draft, [user()]) for draft in drafts)
        )
        won = [result for result in results if isinstance(result, Run)]
        lost = [result for result in results if isinstance(result, ThreadBusy)]
        assert (len(won), len(lost)) == (1, 2)
        assert {busy.run_id for busy in lost} == {won[0].id}
        return "one"

    assert await tries(one) == {"one": TRIES}


async def test_zombie_against_sweeper(lonely_world: World) -> None:
    world = lonely_world
    alive = await world.live_worker()

    async def one() -> str:
        zombie = await world.live_worker()
        run = await world.claimed(zombie)
        await zombie.liveness.retire()
        _, finished = await meet(alive.sweeps.requeue_lost_runs(LEASE), zombie.driving.finish(run, answer("zombie")))
        if finished is None:
            assert (await check_whole(world, run)).status is RunStatus.COMPLETED
            return "zombie first"
        assert isinstance(finished, Fenced)
        again = await world.claimed(alive, run)
        assert again.attempt == 2
        await alive.driving.finish(again, answer("alive"))
        assert (await check_whole(world, run)).status is RunStatus.COMPLETED
        messages = await world.gateway.messages.latest(world.tenant, run.thread_id, 10)
        assert [message.content[0]["text"]["value"] for message in messages if message.role == "assistant"] == ["alive"]
        return "fenced"

    assert set(await tries(one)) == {"zombie first", "fenced"}


async def test_two_sweepers(lonely_world: World) -> None:
    world = lonely_world
    sweepers: list[Worker] = [await world.live_worker() for _ in range(2)]

    async def one() -> str:
        dead = await world.live_worker()
        lost = await world.claimed(dead)
        overdue = call("moodle", timeout=0)
        waiting = await world.parked(overdue, call("moodle"))
        await dead.liveness.retire()

        async def sweep(worker: Worker) -> None:
            await worker.sweeps.requeue_lost_runs(LEASE)
            await worker.sweeps.fail_overdue_calls()
            await worker.sweeps.adopt_outbox(LEASE)

        await meet(*(sweep(worker) for worker in sweepers))
        # A sweep passes over what a sweep of another try holds, and that one may take until after its own commit.
        async with asyncio.timeout(20):
            while (await world.read(lost)).status is RunStatus.IN_PROGRESS or await world.sql(
                "SELECT FROM outbox WHERE owner = $1", dead.name
            ):
                await sweep(sweepers[0])
        assert (await check_whole(world, lost)).status is RunStatus.QUEUED
        assert (await world.events(lost)).count("run.queued") == 2, "queued again exactly once"
        assert (await check_whole(world, waiting)).status is RunStatus.AWAITING_TOOLS
        await world.gateway.runs.cancel(world.tenant, waiting.thread_id, waiting.id)
        return "once"

    assert await tries(one) == {"once": TRIES}


async def test_anything_against_anything(lonely_world: World) -> None:
    """All that can happen to a run happens to it at the same moment."""
    world = lonely_world
    sweeper = await world.live_worker()

    async def one() -> str:
        worker, other = await world.live_worker(), await world.live_worker()
        run = await world.start_run()
        asked = [call("moodle"), call()]
        claimed = await worker.driving.claim(world.tenant, run.id)
        assert claimed is not None
        happenings: list[Callable[[], Awaitable[object]]] = [
            lambda: worker.driving.park(claimed, new_id("step"), asked, Usage()),
            lambda: worker.driving.finish(claimed, answer()),
            lambda: world.gateway.runs.cancel(world.tenant, run.thread_id, run.id),
            lambda: world.gateway.answers.complete(world.tenant, run.id, asked[0].id, "t"),
            lambda: world.gateway.runs.submit_outputs(world.tenant, run.thread_id, run.id, [(asked[1].id, "o")]),
            lambda: other.driving.claim(world.tenant, run.id),
            lambda: sweeper.sweeps.requeue_lost_runs(LEASE),
            lambda: worker.driving.hand_back(world.tenant, run.id, 1),
            lambda: world.gateway.messages.create(world.tenant, run.thread_id, user()),
        ]
        chosen = random.sample(happenings, 6)
        await meet(*(happening() for happening in chosen))
        now = await check_whole(world, run)
        if now.status not in ENDED:
            assert (await expire(world, sweeper, run)).status is RunStatus.EXPIRED
        await world.outbox(run.thread_id)
        return now.status

    assert len(await tries(one)) >= 4
