"""A unit of work: what stores do in it is one commit, and they do not know it."""

import asyncio

import asyncpg
import pytest
from engine_world import World, answer, call, new_id, user
from postgres_gate import gate_before
from run_engine.domain.drafts import NewRun, NewThread
from run_engine.domain.status import RunStatus
from run_engine.errors import DatabaseUnavailable, NotFound, ThreadBusy
from run_engine.store.database import Database
from run_engine.store.threads import Threads
from run_engine.store.units import after_commit, current_unit
from run_engine.store.writer import Writer


async def test_stores_commit_together_and_the_relay_hears_of_it_then(world: World) -> None:
    thread = NewThread(id=new_id("thread"), messages=[user()])
    async with world.database.unit_of_work():
        await world.gateway.threads.create(world.tenant, thread)
        run = await world.gateway.runs.start(
            world.tenant, thread.id, NewRun(id=new_id("run"), assistant_id=world.assistant_id), [user()]
        )
        assert await world.read(run) == run, "what the unit wrote, it reads"
        assert await _seen_by_others(world) == 0
        assert world.gateway.outbox_ids == []
    assert await _seen_by_others(world) == 1
    published = await world.sql("SELECT id FROM outbox WHERE tenant_id = $1 ORDER BY id", world.tenant)
    assert world.gateway.outbox_ids == [row["id"] for row in published] != []


async def test_a_unit_that_fails_leaves_nothing_and_tells_nobody(world: World) -> None:
    for error in (NotFound("thread", "x"), asyncio.CancelledError(), OSError("no fault of the database")):
        with pytest.raises(type(error)) as raised:
            async with world.database.unit_of_work():
                await world.start_run()
                raise error
        assert raised.value is error
    assert await _seen_by_others(world) == 0
    assert world.gateway.outbox_ids == []
    assert current_unit() is None
    await world.start_run()
    assert world.gateway.outbox_ids != []


async def test_a_statement_that_fails_spoils_nothing_else(world: World) -> None:
    first = NewThread(id=new_id("thread"), messages=[user()])
    second = NewThread(id=new_id("thread"), messages=[user()])
    async with world.database.unit_of_work():
        await world.gateway.threads.create(world.tenant, first)
        with pytest.raises(asyncpg.UniqueViolationError):
            await world.gateway.threads.create(world.tenant, first)
        await world.gateway.threads.create(world.tenant, second)
    for thread in (first, second):
        assert (await world.gateway.threads.get(world.tenant, thread.id)).id == thread.id
    assert len(world.gateway.outbox_ids) == 2


async def test_a_part_that_fails_is_undone_alone(world: World) -> None:
    kept, undone = NewThread(id=new_id("thread"), messages=[user()]), NewThread(id=new_id("thread"), messages=[user()])
    async with world.database.unit_of_work():
        await world.gateway.threads.create(world.tenant, kept)
        with pytest.raises(LookupError):
            async with world.database.unit_of_work():
                await world.gateway.threads.create(world.tenant, undone)
                raise LookupError
        parked = await world.parked(call())
        with pytest.raises(NotFound):
            async with world.database.transaction() as session:
                await session.all("delete_thread", tenant_id=world.tenant, id=kept.id)
                raise NotFound("thread", "x")
        assert (await world.gateway.runs.cancel(world.tenant, parked.thread_id, parked.id)).status is (
            RunStatus.CANCELLED
        )
    assert (await world.gateway.threads.get(world.tenant, kept.id)).id == kept.id
    with pytest.raises(NotFound):
        await world.gateway.threads.get(world.tenant, undone.id)
    threads = await world.sql("SELECT thread_id FROM outbox WHERE id = ANY($1)", world.gateway.outbox_ids)
    assert len(threads) == len(world.gateway.outbox_ids), "of what was undone, nothing is told"
    assert {row["thread_id"] for row in threads} == {kept.id, parked.thread_id}


async def test_tasks_that_are_started_inside_are_not_in_the_unit(world: World) -> None:
    outlives = asyncio.Event()

    async def elsewhere() -> list[object]:
        before = [current_unit(), await _threads_of(world)]
        await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), messages=[user()]))
        told = len(world.gateway.outbox_ids)
        await outlives.wait()
        return [*before, told, await _threads_of(world)]

    with pytest.raises(LookupError):
        async with world.database.unit_of_work():
            await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread")))
            task = asyncio.create_task(elsewhere())
            async with asyncio.timeout(10):
                while not world.gateway.outbox_ids:
                    await asyncio.sleep(0.005)
            assert await _threads_of(world) == 2, "its own, and what has been committed beside it"
            raise LookupError
    outlives.set()
    assert await task == [None, 0, 1, 1]


async def _threads_of(world: World) -> int:
    """The number of threads, read the way that stores read: in the unit of the running task."""
    rows = [row["id"] for row in await world.sql("SELECT id FROM threads WHERE tenant_id = $1", world.tenant)]
    unit = current_unit(world.database)
    if unit is None:
        return len(rows)
    async with unit.part() as session:
        found: int = await session._connection.fetchval(
            "SELECT count(*) FROM threads WHERE tenant_id = $1", world.tenant
        )
    return found


async def test_a_unit_of_one_database_is_none_of_another(world: World, store_url: str) -> None:
    other = await Database.connect(store_url, application_name="other", min_size=1, max_size=1)
    threads = Threads(other, Writer("other", lambda _: None))
    with pytest.raises(LookupError):
        async with world.database.unit_of_work():
            await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread")))
            await threads.create(world.tenant, NewThread(id=new_id("thread")))
            raise LookupError
    assert len(await world.sql("SELECT FROM threads WHERE tenant_id = $1", world.tenant)) == 1
    await other.close()


async def test_units_at_once_have_a_connection_each(world: World) -> None:
    inside = asyncio.Barrier(4)

    async def unit(fails: bool) -> None:
        async with world.database.unit_of_work():
            await world.start_run()
            await inside.wait()
            if fails:
                raise LookupError

    async with asyncio.timeout(20):
        results = await asyncio.gather(*(unit(fails) for fails in (True, False, True, False)), return_exceptions=True)
    assert [type(result) for result in results] == [LookupError, type(None)] * 2
    assert await _seen_by_others(world) == 2


async def test_whoever_asks_again_in_a_unit_sees_what_others_have_committed_meanwhile(world: World) -> None:
    """`Runs.start` asks why nothing was started, and starts again where the thread is free by then."""
    worker = await world.live_worker()
    active = await world.claimed(worker)
    asked, ended = asyncio.Event(), asyncio.Event()
    rows = world.database.row

    async def after_the_end(name: str, /, **values: object) -> object:
        if name == "why_not_started" and not asked.is_set():
            asked.set()
            await ended.wait()
        return await rows(name, **values)

    async def start() -> object:
        draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
        async with world.database.unit_of_work():
            return await world.gateway.runs.start(world.tenant, active.thread_id, draft)

    with pytest.raises(ThreadBusy):
        await start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.database, "row", after_the_end)
        starting = asyncio.create_task(start())
        await asked.wait()
        await worker.driving.finish(active, answer())
        ended.set()
        started = await starting
    assert await world.active_run(active) == started.id  # type: ignore[attr-defined]


async def test_what_waits_for_the_commit_is_done_at_once_outside() -> None:
    done: list[str] = []
    after_commit(lambda: done.append("now"))
    assert done == ["now"]


async def test_a_commit_whose_reply_is_lost_is_an_unavailable_database(world: World, store_url: str) -> None:
    async with gate_before(store_url) as gate:
        database = await Database.connect(gate.url, application_name="gated", min_size=1, max_size=1)
        told: list[int] = []
        threads = Threads(database, Writer("gated", told.extend))
        thread = NewThread(id=new_id("thread"), messages=[user()])

        async def create() -> None:
            async with database.unit_of_work():
                await threads.create(world.tenant, thread)
                gate.hold_replies()

        creating = asyncio.create_task(create())
        async with asyncio.timeout(10):
            while not await _seen_by_others(world, "threads"):
                await asyncio.sleep(0.005)
        gate.cut()
        with pytest.raises(DatabaseUnavailable):
            await creating
        assert told == [], "the relay finds such rows when it looks"
        gate.open()
        await database.ping()
        await database.close()


async def test_a_connection_that_dies_inside_loses_no_place_in_the_pool(store_url: str) -> None:
    async with gate_before(store_url) as gate:
        database = await Database.connect(gate.url, application_name="gated", min_size=1, max_size=1)
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                async with database.unit_of_work():
                    gate.cut()
                    await database.ping()
            with pytest.raises(LookupError):
                async with database.unit_of_work():
                    gate.cut()
                    raise LookupError
        await database.ping()
        await database.close()


async def _seen_by_others(world: World, table: str = "runs") -> int:
    return len(await world.sql(f"SELECT FROM {table} WHERE tenant_id = $1", world.tenant))
