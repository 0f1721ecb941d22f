"""The hub and the slot it reads, with a clock that is passed in: what is asked of the database, and when."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from gateway.application.streams.hub import KEEPALIVE, MOST_KEPT, OUTAGE, RETENTION, TICK, VERIFY, Hub, StreamsEnd
from gateway.application.streams.narration import BEGINNING
from gateway.application.streams.readings import Reading
from gateway.application.streams.replay import Replay
from gateway.application.streams.telling import EndTold, TextTold
from run_engine.domain.status import RunStatus
from run_engine.errors import DatabaseUnavailable, NotFound
from run_engine.store.streams import StoredEvent
from stream_scripts import NOW, RUN, Script, Sent
from stream_world import World, piece
from structlog.testing import capture_logs


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def hub(world: World) -> Hub:
    return Hub(world, world, world.open_tail, world, Replay(world, world), clock=lambda: world.now, pause=world.pause)


@pytest_asyncio.fixture
async def started(world: World, hub: Hub) -> AsyncIterator[Hub]:
    hub.start()
    async with asyncio.timeout(5), world.pausing:
        await world.pausing.wait_for(lambda: world.pauses >= 2)
    yield hub
    await hub.stop()


def reading(hub: Hub, run_id: str = RUN.id, tenant: str = "tenant") -> Reading:
    """A reader of a run that was made just now."""
    new = Reading(hub, tenant, run_id)
    new.begin_new(RUN, hub.slot)
    return new


async def names(reader: Reading) -> list[str]:
    return [getattr(each, "name", type(each).__name__) for each in await asyncio.wait_for(reader.told(), 5)]


ANSWER = Script().begin().message([("text", "Hel"), ("text", "lo")]).run("completed")


async def test_copies_in_order_need_no_database(hub: Hub, world: World) -> None:
    reader = reading(hub)
    assert await names(reader) == ["created", "queued"]
    hub.hear([piece(item) for item in ANSWER.items[1:]])
    told = await reader.told()
    assert isinstance(told[-1], EndTold)
    assert [each.text for each in told if isinstance(each, TextTold)] == ["Hello"], "what came meanwhile, in one piece"
    assert reader.ended
    assert await reader.told() == []
    await hub.look()
    assert world.asked == []


async def test_a_gap_is_read_at_once_and_so_is_what_a_hint_promises(hub: Hub, world: World) -> None:
    reader = reading(hub)
    await reader.told()
    world.commit(*ANSWER.items[:2])
    hub.hear([piece(ANSWER.items[2])])
    await hub.look()
    assert world.asked == [[("tenant", RUN.id, 1)]]
    assert (await names(reader))[:2] == ["in_progress", "created"], "the one that was too early was kept"
    await hub.look()
    assert len(world.asked) == 1
    world.commit(ANSWER.items[2])
    hub.hear([{"tenant_id": "tenant", "run_id": RUN.id, "seq": 4}])
    world.commit(*ANSWER.items[3:])
    await hub.look()
    assert world.asked[1:] == [[("tenant", RUN.id, 3)]]
    assert (await names(reader))[-2:] == ["completed", "EndTold"]


async def test_all_silent_runs_are_looked_at_with_one_statement(hub: Hub, world: World) -> None:
    readers = [reading(hub, f"run_{number}") for number in range(3)]
    for reader in readers:
        await reader.told()
    world.now += TICK / 2
    hub.hear([piece(ANSWER.items[1], "run_1")])
    await hub.look()
    assert world.asked == [], "nobody is silent for long enough"
    world.now += TICK / 2
    await hub.look()
    assert world.asked == [[("tenant", "run_0", 1), ("tenant", "run_2", 1)]]
    await hub.look()
    assert len(world.asked) == 1, "looked at a moment ago"
    for reader in readers:
        reader.close()
    world.now += TICK
    await hub.look()
    assert len(world.asked) == 1, "nobody listens"


async def test_pieces_go_to_their_run_and_tenant_alone(hub: Hub) -> None:
    mine, other, foreign = reading(hub), reading(hub, "run_2"), reading(hub, tenant="another")
    for reader in (mine, other, foreign):
        await reader.told()
    hub.hear([piece(ANSWER.items[1]), piece(ANSWER.items[1], "unheard-of")])
    assert await names(mine) == ["in_progress"]
    for reader in (other, foreign):
        waiting = asyncio.create_task(reader.told())
        await asyncio.sleep(0)
        assert not waiting.done()
        reader.close()
        assert await waiting == [], "whoever waits is woken when it is closed"


async def test_pieces_of_kinds_that_are_not_known_are_passed_over(hub: Hub) -> None:
    reader = reading(hub)
    await reader.told()
    owner = {"tenant_id": "tenant", "run_id": RUN.id}
    hub.hear([owner | {"mood": "good"}, owner | {"step_id": "step_1", "part": "thought", "offset": 0, "text": "hm"}])
    hub.hear([piece(item) for item in ANSWER.items[1:]])
    assert (await names(reader))[-1] == "EndTold"


async def test_a_slow_reader_costs_no_memory_of_its_own(hub: Hub) -> None:
    slow, quick = reading(hub), reading(hub)
    for reader in (slow, quick):
        await reader.told()
    hub.hear([piece(item) for item in ANSWER.items[1:3]])
    for number in range(1000):
        hub.hear([piece(Sent("step_1", "text", number, "x"))])
        await quick.told()
    told = await slow.told()
    assert [len(each.text) for each in told if isinstance(each, TextTold)] == [1000]


async def test_a_silent_stream_gives_a_sign_of_life(hub: Hub, world: World) -> None:
    reader = reading(hub)
    await reader.told()
    waiting = asyncio.create_task(reader.told())
    world.now += KEEPALIVE - 1
    hub.tick()
    await asyncio.sleep(0)
    assert not waiting.done()
    world.now += 1
    hub.tick()
    assert await waiting == []
    assert not reader.ended
    hub.tick()
    waiting = asyncio.create_task(reader.told())
    await asyncio.sleep(0)
    assert not waiting.done(), "one sign is enough"
    reader.close()
    await waiting


async def test_streams_wait_for_the_database_and_not_for_ever(hub: Hub, world: World) -> None:
    waits, hears = reading(hub), reading(hub, "run_2")
    for reader in (waits, hears):
        await reader.told()
    world.commit(*ANSWER.items[:2])
    world.away = True
    with capture_logs() as lines:
        for _ in range(int(OUTAGE)):
            world.now += TICK
            await hub.look()
        world.away = False
        await hub.look()
    assert [line["action"] for line in lines] == ["streams_waiting", "streams_recovered"]
    assert await names(waits) == ["in_progress"], "it goes on"

    world.away = True
    hub.hear([piece(item, "run_2") for item in ANSWER.items[1:3]])
    await hears.told()
    for number in range(int(OUTAGE) + 2):
        world.now += TICK
        hub.hear([piece(Sent("step_1", "text", number, "x"), "run_2")])
        await hub.look()
        assert await names(hears) == ["TextTold"]
    with pytest.raises(DatabaseUnavailable):
        await waits.told()
    new = reading(hub)
    assert await names(new) == ["created", "queued"], "a failed stream is no burden to the next reader"


async def test_streams_that_outlast_the_drain_are_given_up(hub: Hub) -> None:
    readers = [reading(hub), reading(hub, "run_2")]
    for each in readers:
        await each.told()
    waiting = [asyncio.create_task(each.told()) for each in readers]
    await asyncio.sleep(0)
    hub.give_up()
    for reply in waiting:
        with pytest.raises(StreamsEnd):
            await reply


async def test_a_run_that_was_deleted_ends_its_streams(hub: Hub, world: World) -> None:
    reader = reading(hub)
    await reader.told()
    world.now += VERIFY
    await hub.look()
    world.gone = True
    world.now += TICK
    await hub.look()
    world.now += VERIFY
    await hub.look()
    with pytest.raises(NotFound):
        await reader.told()


async def test_a_run_that_has_ended_without_an_event(hub: Hub, world: World) -> None:
    reader = reading(hub)
    await reader.told()
    world.run = replace(RUN, status=RunStatus.EXPIRED)
    world.now += VERIFY
    await hub.look()
    assert await names(reader) == ["expired", "EndTold"]


async def test_an_event_that_cannot_be_read_ends_its_own_stream_alone(hub: Hub, world: World) -> None:
    broken, whole = reading(hub, "run_broken"), reading(hub, "run_whole")
    for reader in (broken, whole):
        await reader.told()
    for run_id in ("run_broken", "run_whole"):
        world.commit(*ANSWER.items[:2], run_id=run_id)
    world.stored[1] = StoredEvent("tenant", "run_broken", 2, "threadworks.run.in_progress.v1", "", {"run": {}}, NOW)
    world.now += TICK
    with capture_logs() as lines:
        await hub.look()
    assert [line["action"] for line in lines] == ["stream_fault"]
    assert await names(whole) == ["in_progress"]
    with pytest.raises(KeyError):
        await broken.told()


async def test_who_joins_late_is_told_everything(hub: Hub, world: World) -> None:
    world.commit(*ANSWER.items)
    late = Reading(hub, "tenant", RUN.id)
    late.begin_at(RUN, BEGINNING, through_actions=True)
    hub.hear([piece(ANSWER.items[1])])
    await hub.look()
    assert world.asked == [], "nothing before it is read: it may not be committed yet"
    waiting = asyncio.create_task(late.told())
    await asyncio.sleep(0)
    await hub.look()
    assert isinstance((await waiting)[-1], EndTold)
    assert world.asked == [[("tenant", RUN.id, 0)]]


async def test_a_run_is_kept_up_with_for_a_while_after_its_reader_went(hub: Hub, world: World) -> None:
    reader = reading(hub)
    await reader.told()
    hub.hear([piece(item) for item in ANSWER.items[1:3]])
    reader.close()
    reader.close()
    hub.hear([piece(ANSWER.items[3])])
    world.now += RETENTION - 1
    hub.tick()
    feed, listener = hub.listen("tenant", RUN.id)
    assert feed.log.text_of("step_1").size == 3, "what came meanwhile is there"
    hub.leave(feed, listener)
    world.now += RETENTION
    hub.tick()
    again, _ = hub.listen("tenant", RUN.id)
    assert again is not feed


async def test_only_so_many_runs_are_kept_up_with(hub: Hub) -> None:
    readers = [reading(hub, f"run_{number}") for number in range(MOST_KEPT + 10)]
    for reader in readers:
        await reader.told()
    for reader in readers:
        reader.close()
    kept = [hub.listen("tenant", f"run_{number}")[0].log.run is not None for number in range(MOST_KEPT + 10)]
    assert kept == [False] * 10 + [True] * MOST_KEPT, "those that were left last"


async def test_runs_that_are_read_do_not_count_among_those_that_are_kept_up_with(hub: Hub) -> None:
    for number in range(MOST_KEPT + 10):
        await reading(hub, f"run_{number}").told()
    cut = reading(hub, "run_cut")
    await cut.told()
    cut.close()
    assert hub.listen("tenant", "run_cut")[0].log.run is not None


async def test_a_commit_that_fails_leaves_nothing_and_before_it_nothing_is_asked(hub: Hub, world: World) -> None:
    uncommitted = reading(hub)
    hub.hear([piece(ANSWER.items[1])])
    world.now += VERIFY
    hub.tick()
    await hub.look()
    assert (world.asked, world.added) == ([], [])
    uncommitted.close()
    assert hub.listen("tenant", RUN.id)[0].log.promised == 0, "it is not the feed that heard something"


async def test_who_comes_back_before_anything_was_read_finds_what_was_sent_to_the_slot(
    started: Hub, world: World
) -> None:
    world.commit(*ANSWER.items[:2])
    world.reading.clear()
    hasty = Reading(started, "tenant", RUN.id)
    hasty.begin_at(RUN, BEGINNING, through_actions=True)
    waiting = asyncio.create_task(hasty.told())
    async with asyncio.timeout(5):
        while not world.asked:
            await asyncio.sleep(0)
    assert world.added == [(7, [("tenant", RUN.id)])], "the worker sends what there is, once"
    hasty.close()
    world.tails[7]([piece(item) for item in ANSWER.items[3:4]])
    world.reading.set()
    await waiting
    feed, _ = started.listen("tenant", RUN.id)
    assert feed.log.text_of("step_1").size == 3


async def test_outputs_that_bring_a_slot_are_heard_there(started: Hub, world: World) -> None:
    for run_id in ("run_brings", "run_joined"):
        reader = Reading(started, "tenant", run_id)
        reader.begin_at(
            replace(RUN, id=run_id), BEGINNING, through_actions=False, slot=7 if "brings" in run_id else None
        )
        waiting = asyncio.create_task(reader.told())
        await asyncio.sleep(0)
        await started.look()
        reader.close()
        await waiting
    assert world.added == [(7, [("tenant", "run_joined")])]


async def test_the_slot_is_used_once_it_is_heard(world: World, hub: Hub) -> None:
    world.bus.clear()
    hub.start()
    async with asyncio.timeout(5), world.pausing:
        await world.pausing.wait_for(lambda: world.pauses >= 2)
    assert hub.slot is None, "the bus is away"
    reader = reading(hub)
    await reader.told()
    world.bus.set()
    async with asyncio.timeout(5):
        while not world.added:
            await asyncio.sleep(0)
    assert hub.slot == 7
    assert world.added == [(7, [("tenant", RUN.id)])], "a run that began without a slot"
    world.tails[7]([piece(ANSWER.items[1])])
    assert "in_progress" in await names(reader)
    await hub.stop()
    assert hub.slot is None
    assert world.ours == set()
    assert world.tails == {}


async def test_a_lost_slot_is_replaced_and_its_runs_follow(started: Hub, world: World) -> None:
    assert started.slot == 7
    reader = reading(started)
    await reader.told()
    world.ours.clear()
    with capture_logs() as lines:
        await world.pass_pauses(2)
    assert lines[0]["action"] == "stream_slot_lost"
    async with asyncio.timeout(5):
        while not world.added:
            await asyncio.sleep(0)
    assert world.added == [(8, [("tenant", RUN.id)])], "the lost one may be another gateway's, who streams the run too"
    assert (started.slot, set(world.tails)) == (8, {8})


async def test_without_a_free_slot_it_is_tried_again(world: World, hub: Hub) -> None:
    world.free.clear()
    with capture_logs() as lines:
        hub.start()
        async with asyncio.timeout(5), world.pausing:
            await world.pausing.wait_for(lambda: world.pauses >= 2)
    assert [line["action"] for line in lines] == ["no_stream_slot"]
    assert hub.slot is None
    world.free.append(3)
    await world.pass_pauses(2)
    assert hub.slot == 3
    await hub.stop()


async def test_the_slot_is_kept_while_the_database_is_away(started: Hub, world: World) -> None:
    world.away = True
    await world.pass_pauses(2)
    assert started.slot == 7
    world.away = False
    await world.pass_pauses(2)
    assert started.slot == 7


async def test_a_slot_that_cannot_be_read_is_given_back_before_another_is_taken(world: World, hub: Hub) -> None:
    world.deaf = True
    with capture_logs() as lines:
        hub.start()
        async with asyncio.timeout(5), world.pausing:
            await world.pausing.wait_for(lambda: world.pauses >= 2)
        assert world.ours == set()
        world.deaf = False
        await world.pass_pauses(2)
    assert lines[0]["action"] == "stream_slot_fault"
    assert (hub.slot, world.ours) == (8, {8})
    await hub.stop()


async def test_a_copy_that_cannot_be_read_ends_its_own_stream_alone(hub: Hub) -> None:
    broken, whole = reading(hub, "run_broken"), reading(hub, "run_whole")
    for reader in (broken, whole):
        await reader.told()
    copy = piece(ANSWER.items[1], "run_broken")
    copy["event"]["data"] = {"run": {}}
    with capture_logs() as lines:
        hub.hear([copy, piece(ANSWER.items[1], "run_whole")])
    assert [line["action"] for line in lines] == ["stream_fault"]
    assert await names(whole) == ["in_progress"]
    with pytest.raises(KeyError):
        await broken.told()
