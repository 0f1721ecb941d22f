"""What a process is told, and how soon, when PostgreSQL hangs, goes away in the middle, or refuses to work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio
from engine_world import Worker, World, answer, call, new_id, user
from postgres_gate import Gate, gate_before
from run_engine.domain.drafts import NewToolCall
from run_engine.domain.objects import Usage
from run_engine.domain.status import RunStatus
from run_engine.errors import DatabaseUnavailable, NotFound
from run_engine.lease import LEASE
from run_engine.store.database import Database
from run_engine.store.faults import unavailable
from run_engine.store.migrate import Migration, known_migrations, migrate

TIMEOUT = 0.4


@pytest_asyncio.fixture
async def gate(store_url: str) -> AsyncIterator[Gate]:
    async with gate_before(store_url) as opened:
        yield opened


@pytest_asyncio.fixture
async def hurried(gate: Gate) -> AsyncIterator[Database]:
    """Two connections that lead through the gate and give up soon."""
    database = await Database.connect(gate.url, application_name="hurried", min_size=1, max_size=2, timeout=TIMEOUT)
    yield database
    gate.open()
    await database.close()


async def test_a_server_that_hangs_is_given_up_in_time_however_many_wait(hurried: Database, gate: Gate) -> None:
    await hurried.ping()
    gate.freeze()
    loop = asyncio.get_running_loop()
    began = loop.time()
    results = await asyncio.gather(*(hurried.ping() for _ in range(20)), return_exceptions=True)
    assert {type(result) for result in results} == {DatabaseUnavailable}
    # One time-out for a free connection and one for the statement, with a margin for a busy machine; ten waves of
    # two connections would take twenty of them.
    assert loop.time() - began < 5 * TIMEOUT
    gate.open()
    await asyncio.gather(*(hurried.ping() for _ in range(20)))
    async with hurried.transaction(), hurried.transaction():
        assert hurried._pool.get_idle_size() == 0, "no place in the pool was lost"


async def test_whoever_is_cancelled_does_not_wait_for_a_server_that_hangs(gate: Gate) -> None:
    database = await Database.connect(gate.url, application_name="patient", min_size=1, max_size=1, timeout=10)
    await database.ping()
    gate.freeze()
    asking = asyncio.create_task(database.ping())
    async with asyncio.timeout(5):
        while database._pool.get_idle_size():
            await asyncio.sleep(0.005)
    asking.cancel()
    done, _ = await asyncio.wait([asking], timeout=5)
    assert done
    assert asking.cancelled()
    gate.open()
    await database.ping()
    await database.close()


async def test_a_connection_that_is_cut_in_the_middle_of_a_transaction(
    world: World, hurried: Database, gate: Gate
) -> None:
    run = await world.start_run()
    with pytest.raises(DatabaseUnavailable):
        async with hurried.transaction() as session:
            await session.one("lock_run", tenant_id=world.tenant, run_id=run.id)
            gate.cut()
            await session.one("lock_run", tenant_id=world.tenant, run_id=run.id)
    assert (await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)).status is RunStatus.CANCELLED


async def test_a_process_that_freezes_in_the_middle_of_a_move_does_not_hold_the_run(
    lonely_world: World, lonely_url: str
) -> None:
    world = lonely_world
    database = await Database.connect(lonely_url, application_name="frozen", min_size=1, max_size=1, timeout=TIMEOUT)
    frozen, alive = Worker(database, "frozen"), await world.live_worker()
    run = await frozen.driving.claim(world.tenant, (await world.start_run()).id)
    assert run is not None
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as session:
            assert await frozen.driving._lock(session, run) is not None
            async with asyncio.timeout(20):
                while await alive.sweeps.requeue_lost_runs(LEASE) == 0:
                    await asyncio.sleep(0.02)
    assert (await world.read(run)).status is RunStatus.QUEUED
    await database.close()


async def test_a_statement_of_a_process_that_is_gone_ends_on_the_server_too(
    world: World, hurried: Database, gate: Gate, store_url: str
) -> None:
    run = await world.start_run()
    blocker = await asyncpg.connect(store_url)
    async with blocker.transaction():
        await blocker.execute("SELECT FROM runs WHERE id = $1 FOR UPDATE", run.id)
        waiting = asyncio.create_task(Worker(hurried, "gone").driving.claim(world.tenant, run.id))
        async with asyncio.timeout(20):
            while not await _waiting_for_locks(world):
                await asyncio.sleep(0.01)
            gate.cut()
            with pytest.raises(DatabaseUnavailable):
                await waiting
            while await _waiting_for_locks(world):
                await asyncio.sleep(0.02)
    await blocker.close()


async def _waiting_for_locks(world: World) -> bool:
    rows = await world.sql(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'hurried' AND wait_event_type = 'Lock'"
    )
    return bool(rows)


@pytest.mark.parametrize(
    "refusal",
    [
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.SerializationError("x"),
        asyncpg.LockNotAvailableError("x"),
        asyncpg.QueryCanceledError("x"),
        asyncpg.ReadOnlySQLTransactionError("x"),
        asyncpg.DiskFullError("x"),
        asyncpg.OutOfMemoryError("x"),
        asyncpg.TooManyConnectionsError("x"),
        asyncpg.IdleInTransactionSessionTimeoutError("x"),
        asyncpg.AdminShutdownError("x"),
        asyncpg.CannotConnectNowError("x"),
        asyncpg.InvalidCachedStatementError("x"),
        # Seen when the server was killed while a statement was on its way.
        asyncpg.InternalClientError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.InterfaceError("the connection is closed"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes_by_itself_is_an_unavailable_database(refusal: Exception) -> None:
    with pytest.raises(DatabaseUnavailable), unavailable():
        raise refusal


@pytest.mark.parametrize(
    "mistake",
    [
        asyncpg.UniqueViolationError("x"),
        asyncpg.DataError("x"),
        asyncpg.UndefinedTableError("x"),
        asyncpg.InvalidPasswordError("x"),
        asyncpg.InvalidCatalogNameError("x"),
        asyncpg.PostgresSyntaxError("x"),
        ValueError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_waiting_will_not_mend_stays_what_it_is(mistake: Exception) -> None:
    with pytest.raises(type(mistake)), unavailable():
        raise mistake


async def test_a_migration_under_a_running_process_is_no_fault_of_its_clients(lonely_world: World) -> None:
    world = lonely_world
    for _ in range(2):
        run = await world.start_run()
        await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    run = await world.start_run()
    await world.sql("ALTER TABLE runs ADD COLUMN later text")
    try:
        cancelled = await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    except DatabaseUnavailable:
        cancelled = await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    assert cancelled.status is RunStatus.CANCELLED


async def test_a_migration_that_is_cut_off_is_undone(fresh_database: Callable[[], Awaitable[str]]) -> None:
    url = await fresh_database()
    slow = Migration(1, "slow", 1, "CREATE TABLE half (id int); SELECT pg_sleep(60)")
    async with gate_before(url) as gate:
        migrating = asyncio.create_task(migrate(gate.url, [slow]))
        observer = await asyncpg.connect(url)
        async with asyncio.timeout(20):
            while not await observer.fetch("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
                await asyncio.sleep(0.01)
        gate.cut()
        with pytest.raises(DatabaseUnavailable):
            await migrating
        await observer.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    known = known_migrations()
    assert await migrate(url, known) == known
    assert await observer.fetchval("SELECT to_regclass('half')") is None
    await observer.close()


NUL = "a\x00b"
SHOWN = "a\ufffdb"


async def test_the_character_0_is_stored_as_a_replacement(world: World) -> None:
    """PostgreSQL's text cannot hold it; models and clients send it all the same."""
    worker = await world.live_worker()
    started = await world.start_run(user(NUL), instructions=NUL, metadata={NUL: NUL})
    assert (started.instructions, started.metadata) == (SHOWN, {SHOWN: SHOWN})
    run = await world.claimed(worker, started)
    ours = NewToolCall(id=new_id("tool_call"), name="f", arguments=NUL)
    theirs = NewToolCall(id=new_id("tool_call"), name="f", arguments=NUL, service="moodle", timeout=30)
    await worker.driving.park(run, new_id("step"), [ours, theirs], Usage())
    await world.gateway.runs.submit_outputs(world.tenant, run.thread_id, run.id, [(ours.id, NUL)])
    assert await world.gateway.answers.complete(world.tenant, run.id, theirs.id, NUL)
    step = (await worker.driving.steps(run))[0]
    assert [(tool.arguments, tool.output) for tool in step.tool_calls] == [(SHOWN, SHOWN)] * 2
    await worker.driving.finish(await world.claimed(worker, run), answer(NUL))
    messages = await world.gateway.messages.latest(world.tenant, run.thread_id, 10)
    assert [message.content[0]["text"]["value"] for message in messages] == [SHOWN, SHOWN]
    failed = await world.claimed(worker)
    await worker.driving.fail(failed, "server_error", NUL)
    assert (await world.read(failed)).last_error == {"code": "server_error", "message": SHOWN}
    await world.outbox(run.thread_id)


async def test_a_backslash_before_u0000_is_text_like_any_other(world: World) -> None:
    run = await world.start_run(user(r"a\u0000b"), metadata={"a": r"\\u0000" + NUL})
    assert run.metadata == {"a": r"\\u0000" + SHOWN}
    messages = await world.gateway.messages.latest(world.tenant, run.thread_id, 1)
    assert messages[0].content[0]["text"]["value"] == r"a\u0000b"


async def test_an_id_with_the_character_0_names_nothing(world: World) -> None:
    run = await world.start_run()
    for ask in (
        world.gateway.runs.get(world.tenant, run.thread_id, "run_\x00"),
        world.gateway.threads.get(world.tenant, "thread_\x00"),
        world.gateway.runs.submit_outputs(world.tenant, run.thread_id, "run_\x00", [("call_\x00", "x")]),
    ):
        with pytest.raises(NotFound):
            await ask
    parked = await world.parked(call())
    assert not await world.gateway.answers.complete(world.tenant, parked.id, "call_\x00", "x")
