"""The relay: everything once in order, whatever fails, and nothing that blocks the rest."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from engine_world import World, answer, user
from event_bus import OutgoingRecord, PublishError
from run_engine.domain.drafts import NewThread
from run_engine.outbox.publishing import publish_with
from run_engine.outbox.relay import Delivery, NotNow, Relay, Undeliverable
from run_engine.outbox.rows import OutboxRow


class Bus:
    """Remembers what was published; `fate` decides what becomes of each row."""

    def __init__(self) -> None:
        self.published: list[OutboxRow] = []
        self.fate: Callable[[OutboxRow], Delivery] = lambda row: None

    async def publish(self, rows: Sequence[OutboxRow]) -> Sequence[Delivery]:
        deliveries = [self.fate(row) for row in rows]
        self.published += [row for row, delivery in zip(rows, deliveries, strict=True) if delivery is None]
        return deliveries

    def kinds(self) -> list[str]:
        return [row.type.removeprefix("threadworks.").removesuffix(".v1") for row in self.published]


async def _idle(relay: Relay) -> None:
    await asyncio.wait_for(relay._idle.wait(), 10)


async def _soon(_: float) -> None:
    await asyncio.sleep(0.005)


async def _never(_: float) -> None:
    await asyncio.Event().wait()


def _relay(world: World, bus: Bus, owner: str, pause: Callable[[float], Awaitable[None]] = _soon) -> Relay:
    return Relay(world.gateway.table, bus.publish, owner=owner, pause=pause)


async def test_what_is_committed_is_published_in_order_and_forgotten(world: World) -> None:
    bus = Bus()
    relay = _relay(world, bus, world.gateway.name)
    await relay.start()
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.finish(run, answer())
    relay.poke(world.gateway.outbox_ids)
    relay.poke(worker.outbox_ids)
    await _idle(relay)
    assert bus.kinds() == [
        "message.created",
        "run.queued",
        "run.in_progress",
        "run-step.created",
        "message.completed",
        "run-step.completed",
        "run.completed",
    ]
    assert [row.seq for row in bus.published if row.seq] == [1, 2, 3, 4, 5, 6]
    assert await world.outbox(run.thread_id) == []
    await relay.stop()


async def test_older_rows_of_the_thread_go_first_whoever_owns_them(world: World) -> None:
    bus = Bus()
    worker = await world.live_worker()
    run = await world.claimed(worker)
    relay = _relay(world, bus, worker.name)
    await relay.start()
    relay.poke(worker.outbox_ids)  # the gateway that owns the older rows has not come to publish them yet
    await _idle(relay)
    assert bus.kinds() == ["message.created", "run.queued", "run.in_progress"]
    late = _relay(world, bus, world.gateway.name)
    await late.start()
    late.poke(world.gateway.outbox_ids)
    await _idle(late)
    assert len(bus.published) == 3, "the gateway finds its rows published"
    assert await world.outbox(run.thread_id) == []
    await relay.stop()
    await late.stop()


async def test_what_nobody_waits_for_goes_with_the_next_of_its_thread(world: World) -> None:
    bus = Bus()
    relay = _relay(world, bus, world.gateway.name, _never)  # finds nothing by looking
    worker = await world.live_worker()
    await relay.start()
    run = await world.claimed(worker)
    relay.poke_within(worker.outbox_ids, 3600)
    claimed = len(worker.outbox_ids)
    await worker.driving.finish(run, answer())
    assert bus.published == []
    assert relay.backlog == claimed
    relay.poke(worker.outbox_ids[claimed:])
    await _idle(relay)
    assert [row.seq for row in bus.published if row.seq] == [1, 2, 3, 4, 5, 6]
    assert relay.backlog == 0, "what has gone with the others is not kept in mind"
    await relay.stop()


async def test_what_nobody_waits_for_goes_by_itself_in_the_end(world: World) -> None:
    bus = Bus()
    relay = _relay(world, bus, world.gateway.name, _never)  # finds nothing by looking
    await relay.start()
    run = await world.start_run()
    relay.poke_within(world.gateway.outbox_ids, 0.01)
    assert relay.backlog == 2
    await _idle(relay)
    assert bus.kinds() == ["message.created", "run.queued"]
    assert await world.outbox(run.thread_id) == []
    await relay.stop()


async def test_a_stop_waits_for_nothing_that_nobody_waits_for(world: World) -> None:
    bus = Bus()
    relay = _relay(world, bus, world.gateway.name, _never)  # finds nothing by looking
    await relay.start()
    await world.start_run()
    relay.poke_within(world.gateway.outbox_ids, 3600)
    await relay.stop()
    assert bus.kinds() == ["message.created", "run.queued"]


async def test_a_bus_that_is_away_delays_and_loses_nothing(world: World) -> None:
    bus = Bus()
    rounds = 0

    def away(row: OutboxRow) -> Delivery:
        nonlocal rounds
        rounds += 1
        return NotNow("away") if rounds < 6 else None

    bus.fate = away
    relay = _relay(world, bus, world.gateway.name)
    await relay.start()
    run = await world.start_run()
    relay.poke(world.gateway.outbox_ids)
    await _idle(relay)
    assert sorted(bus.kinds()) == ["message.created", "run.queued"]
    assert await world.outbox(run.thread_id) == []
    assert relay.backlog == 0
    await relay.stop()


async def test_a_row_that_can_never_be_published_is_set_aside(world: World) -> None:
    bus = Bus()
    bus.fate = lambda row: Undeliverable("too large") if row.type.endswith("message.created.v1") else None
    relay = _relay(world, bus, world.gateway.name)
    await relay.start()
    run = await world.start_run()
    relay.poke(world.gateway.outbox_ids)
    await _idle(relay)
    assert bus.kinds() == ["run.queued"]
    rejected = await world.sql("SELECT type, reason FROM outbox_rejected WHERE thread_id = $1", run.thread_id)
    assert [tuple(row) for row in rejected] == [("threadworks.message.created.v1", "too large")]
    assert await world.outbox(run.thread_id) == []
    await relay.stop()


async def test_a_stopped_relay_leaves_the_rest_to_others(world: World) -> None:
    bus = Bus()
    bus.fate = lambda row: NotNow("away")
    relay = Relay(world.gateway.table, bus.publish, owner=world.gateway.name, pause=asyncio.sleep)
    await relay.start()
    run = await world.start_run()
    relay.poke(world.gateway.outbox_ids)
    await relay.stop(timeout=0.05)
    assert len(await world.outbox(run.thread_id)) == 2


class Publisher:
    def __init__(self, outcomes: Callable[[OutgoingRecord], PublishError | None]) -> None:
        self.records: list[OutgoingRecord] = []
        self._outcomes = outcomes

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[PublishError | None]:
        self.records += records
        return [self._outcomes(record) for record in records]


async def test_records_carry_topic_key_and_a_stable_id(world: World) -> None:
    publisher = Publisher(lambda record: None)
    run = await world.start_run()
    rows = await world.gateway.table.unpublished(world.gateway.outbox_ids)
    publish = publish_with(publisher, "inline")
    assert await publish(rows) == [None, None]
    assert await publish(rows) == [None, None]
    assert [record.topic for record in publisher.records[:2]] == [
        "threadworks.messages.v1",
        "threadworks.run-events.v1",
    ]
    assert {record.key for record in publisher.records} == {run.thread_id.encode()}
    assert publisher.records[0] == publisher.records[2], "published again, it is the same event"


async def test_outcomes_become_deliveries(world: World) -> None:
    await world.start_run()
    rows = await world.gateway.table.unpublished(world.gateway.outbox_ids)
    retryable = publish_with(Publisher(lambda record: PublishError(retryable=True, reason="away")), "inline")
    assert await retryable(rows) == [NotNow("away")] * 2
    never = publish_with(Publisher(lambda record: PublishError(retryable=False, reason="too large")), "inline")
    assert await never(rows) == [Undeliverable("too large")] * 2


async def test_an_invalid_row_does_not_reach_the_bus(world: World) -> None:
    publisher = Publisher(lambda record: None)
    await world.start_run()
    ids = world.gateway.outbox_ids
    await world.sql("UPDATE outbox SET data = '{\"run\": {}}' WHERE id = $1", ids[-1])
    rows = await world.gateway.table.unpublished(ids)
    deliveries = await publish_with(publisher, "inline")(rows)
    assert [type(delivery) for delivery in deliveries].count(Undeliverable) == 1
    assert len(publisher.records) == 1


@pytest.mark.parametrize(("content", "length"), [("reference", 10), ("inline", 70_000)])
async def test_text_goes_by_reference_when_it_is_long_or_must_not_travel(
    world: World, content: str, length: int
) -> None:
    thread = await world.gateway.threads.create(
        world.tenant, NewThread(id="thread_" + world.tenant, messages=[user("x" * length)])
    )
    publisher = Publisher(lambda record: None)
    rows = await world.gateway.table.unpublished(world.gateway.outbox_ids)
    await publish_with(publisher, content)(rows)  # type: ignore[arg-type]
    value = publisher.records[-1].value
    assert b"xxxxxxxxxx" not in value
    assert f'"/v1/threads/{thread.id}/messages/'.encode() in value
