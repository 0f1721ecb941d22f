"""The relay goes on, whatever happens to it: nothing that is committed stays unpublished for good."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest
from engine_world import Worker, World, new_id, user
from event_bus import OutgoingRecord, PublishError
from postgres_gate import gate_before
from run_engine.domain.drafts import NewRun, NewThread
from run_engine.errors import DatabaseUnavailable
from run_engine.outbox.publishing import publish_with
from run_engine.outbox.relay import BATCH, Delivery, NotNow, Publish, Relay, Undeliverable
from run_engine.outbox.rows import OutboxRow, OutboxTable
from run_engine.store.database import Database
from structlog.testing import capture_logs


class Bus:
    """Remembers what was published; `fate` decides what becomes of each row, or raises."""

    def __init__(self) -> None:
        self.published: list[OutboxRow] = []
        self.fate: Callable[[OutboxRow], Delivery] = lambda row: None
        self.rounds = 0

    async def publish(self, rows: Sequence[OutboxRow]) -> Sequence[Delivery]:
        self.rounds += 1
        deliveries = [self.fate(row) for row in rows]
        self.published += [row for row, delivery in zip(rows, deliveries, strict=True) if delivery is None]
        return deliveries


async def _soon(_: float) -> None:
    await asyncio.sleep(0.005)


@asynccontextmanager
async def _relay(world: World, publish: Publish, owner: str) -> AsyncIterator[Relay]:
    relay = Relay(world.gateway.table, publish, owner=owner, pause=_soon)
    await relay.start()
    yield relay
    await relay.stop(timeout=0.01)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def _gone(world: World, thread_id: str) -> None:
    async with asyncio.timeout(20):
        while await world.outbox(thread_id):
            await asyncio.sleep(0.005)


async def test_an_error_that_nobody_thought_of_delays_and_loses_nothing(world: World) -> None:
    bus = Bus()

    def surprised(row: OutboxRow) -> Delivery:
        if bus.rounds < 3:
            raise KeyError("surprise")
        return None

    bus.fate = surprised
    run = await world.start_run()
    async with _relay(world, bus.publish, world.gateway.name) as relay:
        relay.poke(world.gateway.outbox_ids)
        await _gone(world, run.thread_id)
    assert [row.thread_id for row in bus.published] == [run.thread_id] * 2


async def test_a_row_that_breaks_every_round_does_not_keep_those_beside_it(world: World) -> None:
    bus = Bus()
    runs = [await world.start_run() for _ in range(5)]

    def broken(row: OutboxRow) -> Delivery:
        if row.thread_id == runs[2].thread_id:
            raise KeyError("surprise")
        return None

    bus.fate = broken
    async with _relay(world, bus.publish, world.gateway.name) as relay:
        relay.poke(world.gateway.outbox_ids)
        for run in runs[:2] + runs[3:]:
            await _gone(world, run.thread_id)
    assert len(await world.outbox(runs[2].thread_id)) == 2


async def test_a_row_that_no_code_can_read_is_set_aside_and_the_rest_goes_out(world: World) -> None:
    class Publisher:
        async def publish(self, records: Sequence[OutgoingRecord]) -> list[PublishError | None]:
            return [None] * len(records)

    run = await world.start_run()
    await world.sql("UPDATE outbox SET data = '{\"message\": []}' WHERE id = $1", world.gateway.outbox_ids[0])
    async with _relay(world, publish_with(Publisher(), "inline"), world.gateway.name) as relay:
        relay.poke(world.gateway.outbox_ids)
        async with asyncio.timeout(20):
            while await world.sql("SELECT 1 FROM outbox WHERE thread_id = $1", run.thread_id):
                await asyncio.sleep(0.005)
    rejected = await world.sql("SELECT id FROM outbox_rejected WHERE thread_id = $1", run.thread_id)
    assert [row["id"] for row in rejected] == world.gateway.outbox_ids[:1]


async def test_events_of_a_commit_whose_reply_was_lost_are_published(world: World, store_url: str) -> None:
    name = f"lost-{world.tenant}"
    async with gate_before(store_url) as gate:
        hurried = await Database.connect(gate.url, application_name="hurried", min_size=1, max_size=1, timeout=0.3)
        lost = Worker(hurried, name)

        async def start() -> str:
            thread = NewThread(id=new_id("thread"), messages=[user()])
            draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
            await lost.runs.start_on_new_thread(world.tenant, thread, draft)
            return thread.id

        told = await start()  # prepares the statement, which takes replies
        told_of = list(lost.outbox_ids)
        gate.hold_replies()
        with pytest.raises(DatabaseUnavailable):
            await start()
        gate.cut()
        gate.open()
        await hurried.close()
    assert lost.outbox_ids == told_of, "nobody could tell the relay of the second commit"
    bus = Bus()
    async with _relay(world, bus.publish, name) as relay:
        relay.poke(told_of)
        await _until(lambda: len(bus.published) == 4)
    assert {row.thread_id for row in bus.published} > {told}


async def test_events_of_a_caller_that_was_cancelled_are_published(world: World) -> None:
    bus = Bus()
    run = await world.start_run()
    async with _relay(world, bus.publish, world.gateway.name):  # never poked
        await _gone(world, run.thread_id)
    assert len(bus.published) == 2


async def test_rows_that_have_to_wait_hold_up_no_others(world: World) -> None:
    bus = Bus()
    stuck = new_id("thread")
    found = await world.sql(
        "INSERT INTO outbox (owner, producer, tenant_id, thread_id, type, subject, data, created_at) "
        "SELECT $1, $1, $2, $3, "
        "'threadworks.message.created.v1', 'x', '{}', clock_timestamp() FROM generate_series(1, $4::int) RETURNING id",
        world.gateway.name,
        world.tenant,
        stuck,
        2 * BATCH + 1,
    )
    bus.fate = lambda row: NotNow("no such topic") if row.thread_id == stuck else None
    async with _relay(world, bus.publish, world.gateway.name) as relay:
        relay.poke([row["id"] for row in found])
        await _until(lambda: bus.rounds > 5)
        run = await world.start_run()
        relay.poke(world.gateway.outbox_ids)
        await _until(lambda: len(bus.published) == 2)
        assert {row.thread_id for row in bus.published} == {run.thread_id}
        bus.fate = lambda row: None
        await _until(lambda: relay.backlog == 0)
    assert len({row.id for row in bus.published}) == len(found) + 2


async def test_rows_that_have_to_wait_get_their_turn_however_many_new_ones_come(world: World) -> None:
    bus = Bus()
    run = await world.start_run()
    numbers = itertools.count(1)

    class Busy(OutboxTable):
        async def unpublished(self, ids: Sequence[int]) -> Sequence[OutboxRow]:
            relay.poke([-next(numbers)])
            return await super().unpublished(ids)

    bus.fate = lambda row: None if bus.rounds > 1 else NotNow("no leader")
    relay = Relay(Busy(world.database), bus.publish, owner=world.gateway.name, pause=_soon)
    await relay.start()
    relay.poke(world.gateway.outbox_ids)
    await _gone(world, run.thread_id)
    await relay.stop(timeout=0.01)
    assert bus.rounds == 2


async def test_an_outage_is_one_line_a_round(world: World) -> None:
    bus = Bus()
    bus.fate = lambda row: NotNow("no broker answers")
    await world.start_run(user(), user(), user())
    with capture_logs() as lines:
        async with _relay(world, bus.publish, world.gateway.name) as relay:
            relay.poke(world.gateway.outbox_ids)
            await _until(lambda: bus.rounds > 2)
    told = [line for line in lines if line["action"] == "publish_retry"]
    assert len(told) in {bus.rounds - 1, bus.rounds}
    assert (told[0]["rows"], told[0]["reason"]) == (4, "no broker answers")


async def test_a_row_that_is_set_aside_does_not_bring_the_others_back(world: World) -> None:
    bus = Bus()
    bus.fate = lambda row: Undeliverable("too large") if row.seq is None else None
    run = await world.start_run()
    await world.sql(
        "CREATE OR REPLACE FUNCTION refuse_rejected() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no'; END $$"
    )
    await world.sql(
        f"CREATE TRIGGER refuse BEFORE INSERT ON outbox_rejected FOR EACH ROW WHEN (NEW.tenant_id = "
        f"'{world.tenant}') EXECUTE FUNCTION refuse_rejected()"
    )
    try:
        async with _relay(world, bus.publish, world.gateway.name) as relay:
            relay.poke(world.gateway.outbox_ids)
            await _until(lambda: bus.rounds > 2)
    finally:
        await world.sql("DROP TRIGGER refuse ON outbox_rejected")
    assert [row.type for row in bus.published] == ["threadworks.run.queued.v1"], "once, whatever happens to the other"
    assert await world.outbox(run.thread_id) == ["message.created"]


async def test_a_long_backlog_of_one_thread_is_read_in_one_go(world: World) -> None:
    found = await world.sql(
        "INSERT INTO outbox (owner, producer, tenant_id, thread_id, type, subject, data, created_at) "
        "SELECT 'x', 'x', $1, 'busy', "
        "'x', 'x', jsonb_build_object('text', repeat(md5(i::text), 30)), clock_timestamp() "
        "FROM generate_series(1, 3000) i RETURNING id",
        world.tenant,
    )
    ids = [row["id"] for row in found]
    # A join of every row with every older one would be more than a million rows, and take seven seconds.
    hurried = await world.database.apart(2.0)
    assert [row.id for row in await OutboxTable(hurried).unpublished(ids[-BATCH:])] == ids
    await hurried.close()
    await world.gateway.table.delete(ids)


async def test_two_relays_that_delete_the_same_rows_do_not_wait_for_each_other(world: World, store_url: str) -> None:
    """They wait in the order of their plans, and a plan made for an empty table is another one: a deadlock."""
    await world.start_run(user(), user())
    first, second, third = world.gateway.outbox_ids
    other = await asyncpg.connect(store_url)
    async with other.transaction():
        await other.execute("DELETE FROM outbox WHERE id = $1", second)
        async with asyncio.timeout(5):
            await world.gateway.table.delete([first, second, third])
    await other.close()
    assert await world.sql("SELECT 1 FROM outbox WHERE id = ANY($1::bigint[])", [first, second, third]) == []
