"""Runs that are streamed are woken ahead of their events; others are not, and nothing that was rolled back is."""

import asyncio
from collections.abc import Sequence

import pytest
from engine_world import World, answer, call, new_id, user
from event_bus import OutgoingRecord
from message_contracts import codec
from run_engine.domain.drafts import NewRun, NewThread
from run_engine.outbox.waking import Waker
from run_engine.store.driving import Driving
from run_engine.store.runs import Runs
from run_engine.store.writer import BEGUN_WITHIN, WOKEN_WITHIN, Writer


class Records:
    """Takes what is sent to the orchestrators."""

    def __init__(self) -> None:
        self.sent: list[OutgoingRecord] = []

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[None]:
        self.sent += records
        return [None] * len(records)


class Streaming:
    """The runs of a gateway that streams."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.records = Records()
        self.poked: list[int] = []
        self.poked_within: list[float] = []
        writer = Writer(
            "gateway-1",
            self.poked.extend,
            Waker(self.records, "gateway-1").wake,
            lambda ids, seconds: self.poked_within.append(seconds),
        )
        self.runs = Runs(world.database, writer)

    def draft(self) -> NewRun:
        return NewRun(id=new_id("run"), assistant_id=self.world.assistant_id)


async def _woken(streaming: Streaming) -> list[str]:
    await asyncio.sleep(0)  # what is sent is sent by tasks
    return [codec.decode(record.headers, record.value).subject for record in streaming.records.sent]


async def test_a_streamed_run_is_woken_and_another_is_not(world: World) -> None:
    streaming = Streaming(world)
    thread = NewThread(id=new_id("thread"), messages=(user(),))
    await streaming.runs.start_on_new_thread(world.tenant, thread, streaming.draft())
    assert await _woken(streaming) == []
    other = NewThread(id=new_id("thread"), messages=(user(),))
    run = await streaming.runs.start_on_new_thread(world.tenant, other, streaming.draft(), stream_slot=3)
    assert await _woken(streaming) == [run.id]
    (record,) = streaming.records.sent
    assert (record.topic, record.key) == ("threadworks.run-commands.v1", other.id.encode())
    message = codec.decode(record.headers, record.value)
    assert (message.type, message.tenant, message.source) == (
        "threadworks.run.requested.v1",
        world.tenant,
        "/threadworks/gateway",
    )
    assert message.data == {"run": {"id": run.id, "thread_id": other.id}}


async def test_the_events_of_a_run_that_was_woken_without_them_may_rest(world: World) -> None:
    streaming = Streaming(world)
    thread = NewThread(id=new_id("thread"), messages=(user(),))
    await streaming.runs.start_on_new_thread(world.tenant, thread, streaming.draft(), stream_slot=3)
    assert (streaming.poked, streaming.poked_within) == ([], [WOKEN_WITHIN])
    other = NewThread(id=new_id("thread"), messages=(user(),))
    await streaming.runs.start_on_new_thread(world.tenant, other, streaming.draft())
    assert (len(streaming.poked), streaming.poked_within) == (2, [WOKEN_WITHIN]), "nothing else wakes this one"


async def test_the_events_of_a_beginning_may_rest_and_those_of_an_end_go_at_once(world: World) -> None:
    told: list[float] = []
    worker = await world.live_worker()
    driving = Driving(
        world.database, Writer(worker.name, lambda ids: told.append(0), None, lambda ids, seconds: told.append(seconds))
    )
    run = await driving.claim(world.tenant, (await world.start_run()).id)
    assert run is not None
    end = answer()
    await driving.open_step(run, end.step_id, end.message_id)
    await driving.finish(run, end)
    assert told == [BEGUN_WITHIN, BEGUN_WITHIN, 0]


async def test_a_streamed_run_that_goes_on_is_woken_when_nothing_is_waited_for(world: World) -> None:
    streaming = Streaming(world)
    client, both = call(), call()
    run = await world.parked(client)
    await streaming.runs.submit_outputs(world.tenant, run.thread_id, run.id, [(client.id, "x")], stream_slot=3)
    waiting = await world.parked(both, call("moodle"))
    await streaming.runs.submit_outputs(world.tenant, waiting.thread_id, waiting.id, [(both.id, "x")], stream_slot=3)
    assert await _woken(streaming) == [run.id]


async def test_what_is_rolled_back_wakes_nobody(world: World) -> None:
    streaming = Streaming(world)
    thread = NewThread(id=new_id("thread"), messages=(user(),))

    async def start_and_give_up() -> None:
        async with world.database.unit_of_work():
            await streaming.runs.start_on_new_thread(world.tenant, thread, streaming.draft(), stream_slot=3)
            raise LookupError

    with pytest.raises(LookupError):
        await start_and_give_up()
    assert await _woken(streaming) == []
