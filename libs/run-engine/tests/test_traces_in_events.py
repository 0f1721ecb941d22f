"""Runs and events belong to the trace of whoever wrote them, and to no other, however late they are published."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import asyncpg
import pytest
import pytest_asyncio
from engine_world import World, answer, call, new_id, user
from event_bus import Outcome, OutgoingRecord, PublishError
from message_contracts import Message, codec
from observability.trace_context import reset_traceparent, set_traceparent
from observability.tracing import configure_tracing
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from run_engine.domain.drafts import NewThread
from run_engine.domain.objects import Usage
from run_engine.lease import LEASE
from run_engine.outbox.publishing import publish_with
from run_engine.outbox.waking import Waker
from run_engine.store.database import Database

ONE = "00-11111111111111111111111111111111-aaaaaaaaaaaaaaaa-01"
OTHER = "00-22222222222222222222222222222222-bbbbbbbbbbbbbbbb-01"


@contextmanager
def within(traceparent: str | None) -> Iterator[None]:
    token = set_traceparent(traceparent)
    try:
        yield
    finally:
        reset_traceparent(token)


@pytest_asyncio.fixture
async def narrow(lonely_url: str, lonely_world: World) -> AsyncIterator[World]:
    """A world whose statements all go over one connection: what one leaves behind, the next would find."""
    database = await Database.connect(lonely_url, application_name="tests", min_size=1, max_size=1)
    lonely_world.database = database
    lonely_world.gateway = lonely_world.worker("gateway")
    yield lonely_world
    await database.close()


async def traces(world: World, run_id: str) -> set[str | None]:
    found = await world.sql("SELECT traceparent FROM outbox WHERE run_id = $1", run_id)
    assert found != []
    return {row["traceparent"] for row in found}


async def test_what_is_written_belongs_to_the_trace_it_is_written_in(narrow: World) -> None:
    for traceparent in (ONE, None, OTHER, OTHER, None):
        with within(traceparent):
            run = await narrow.start_run()
        assert await traces(narrow, run.id) == {traceparent}
        (row,) = await narrow.sql("SELECT traceparent FROM runs WHERE id = $1", run.id)
        assert row["traceparent"] == traceparent


async def test_a_unit_of_work_that_was_rolled_back_leaves_no_trace_behind(narrow: World) -> None:
    class Refused(Exception):
        pass

    for before in (None, OTHER):
        with within(before):
            await narrow.start_run()
        with pytest.raises(Refused), within(ONE):
            async with narrow.database.unit_of_work():
                await narrow.start_run()
                raise Refused
        for traceparent in (None, ONE):
            with within(traceparent):
                run = await narrow.start_run()
            assert await traces(narrow, run.id) == {traceparent}


async def test_a_unit_of_work_belongs_to_one_trace_also_after_a_part_that_failed(narrow: World) -> None:
    with within(OTHER):
        await narrow.start_run()
    with within(ONE):
        async with narrow.database.unit_of_work():
            run = await narrow.start_run()
            with pytest.raises(asyncpg.UniqueViolationError):
                await narrow.gateway.threads.create(narrow.tenant, NewThread(id=run.thread_id, messages=[user()]))
            more = await narrow.start_run()
    assert await traces(narrow, run.id) == await traces(narrow, more.id) == {ONE}
    last = await narrow.start_run()
    assert await traces(narrow, last.id) == {None}


async def test_a_claim_tells_the_trace_that_its_run_was_begun_in(world: World) -> None:
    worker = await world.live_worker()
    with within(ONE):
        run = await world.start_run()
    with within(OTHER):
        claimed = await world.claimed(worker, run)
    assert claimed.traceparent == ONE
    assert (await world.claimed(worker)).traceparent is None


class Records:
    """A publisher that keeps what it was given, and says of each what it is told to."""

    def __init__(self, outcome: Outcome = None) -> None:
        self.messages: list[Message] = []
        self._outcome = outcome

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
        self.messages += [codec.decode(record.headers, record.value) for record in records]
        return [self._outcome] * len(records)


async def test_the_trace_outlives_the_process_that_wrote_the_event(lonely_world: World) -> None:
    world = lonely_world
    with within(ONE):
        run = await world.start_run()
    survivor = await world.live_worker()
    assert await survivor.sweeps.adopt_outbox(LEASE) == 2
    records = Records()
    await publish_with(records, "inline")(await survivor.table.unpublished(survivor.outbox_ids))
    assert [(message.correlation_id, message.traceparent) for message in records.messages] == [(run.id, ONE)] * 2


async def test_a_publication_is_a_span_and_its_event_belongs_to_it(world: World) -> None:
    exporter = InMemorySpanExporter()
    tracing = configure_tracing("test", {}, exporter)
    records = Records()
    with within(ONE):
        await world.start_run()
    await world.start_run()
    await publish_with(records, "inline")(await world.gateway.table.unpublished(world.gateway.outbox_ids))
    tracing.stop()
    ended = {f"{span.context.span_id:016x}": span for span in exporter.get_finished_spans() if span.context}
    assert sorted(span.name for span in ended.values()) == ["publish message.created.v1", "publish run.queued.v1"]
    traced = [message.traceparent for message in records.messages if message.traceparent is not None]
    assert len(records.messages) == 4
    for traceparent in traced:
        _, trace, span_id, _ = traceparent.split("-")
        parent = ended[span_id].parent
        assert parent is not None
        assert (trace, f"{parent.span_id:016x}") == tuple(ONE.split("-")[1:3])
    assert len(traced) == 2


async def test_a_publication_that_failed_says_so(world: World) -> None:
    exporter = InMemorySpanExporter()
    tracing = configure_tracing("test", {}, exporter)
    with within(ONE):
        await world.start_run()
    away = Records(PublishError(retryable=True, reason="no broker answers at kafka.internal"))
    await publish_with(away, "inline")(await world.gateway.table.unpublished(world.gateway.outbox_ids))
    tracing.stop()
    ended = exporter.get_finished_spans()
    assert [dict(span.attributes or {})["error.type"] for span in ended] == ["NotNow"] * 2
    assert {span.status.description for span in ended} == {None}


async def test_the_quick_wake_up_of_a_stream_belongs_to_the_trace(world: World) -> None:
    records = Records()
    waker = Waker(records, "gateway-1")
    with within(ONE):
        waker.wake(await world.start_run())
        waker.wake(await world.start_run())
    for task in list(waker._sending):
        await task
    assert [message.traceparent for message in records.messages] == [ONE] * 2


async def test_how_long_a_run_was_queued_counts_from_its_last_coming_to_the_queue(world: World) -> None:
    worker = await world.live_worker()
    run = await world.start_run()
    await world.sql(
        "UPDATE runs SET created_at = created_at - interval '1 hour', queued_at = queued_at - interval '1 minute',"
        " expires_at = clock_timestamp() + interval '1 hour' WHERE id = $1",
        run.id,
    )
    first = await world.claimed(worker, run)
    assert first.queued_seconds is not None
    assert 60 <= first.queued_seconds < 120
    await worker.driving.park(first, new_id("step"), [asked := call(service="moodle")], Usage())
    assert await worker.answers.complete(world.tenant, run.id, asked.id, "out")
    again = await world.claimed(worker, run)
    assert again.queued_seconds is not None
    assert 0 <= again.queued_seconds < 60, "the time with the model and the tool is not time in the queue"
    await worker.driving.hand_back(world.tenant, run.id, again.attempt)
    handed_back = await world.claimed(worker, run)
    assert handed_back.queued_seconds is not None
    assert 0 <= handed_back.queued_seconds < 60
    await worker.driving.finish(handed_back, answer())


async def test_the_queue_is_as_old_as_the_run_that_waits_longest_in_it(lonely_world: World) -> None:
    world = lonely_world
    worker = await world.live_worker()

    async def age() -> float:
        return float((await world.database.row("figures", limit=10))["queue_age"])

    assert await age() == 0
    run = await world.start_run()
    await world.sql("UPDATE runs SET created_at = created_at - interval '1 hour' WHERE id = $1", run.id)
    assert 0 <= await age() < 60, "an old run that has come to the queue just now"
    await world.sql("UPDATE runs SET queued_at = queued_at - interval '5 minutes' WHERE id = $1", run.id)
    await world.start_run()
    assert 300 <= await age() < 400
    await world.sql("UPDATE runs SET queued_at = NULL WHERE id = $1", run.id)
    assert 3600 <= await age() < 3700, "a run from before the migration: its creation stands for it"
    await world.claimed(worker, run)
    assert 0 <= await age() < 60
