"""Threads seen from above: who talks in them, when, and in which turns."""

import pytest
from engine_world import World, answer, call, new_id, text, user
from run_engine.domain.drafts import NewMessage, NewThread, NewUser
from run_engine.domain.objects import Json
from run_engine.domain.turns import Turn
from run_engine.store.overviews import MOST_TURNS, Overviews
from run_engine.store.streams import RunState, Streams

CALLS: list[Json] = [
    {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}} for call_id in ("b", "a")
]


@pytest.fixture
def overviews(world: World) -> Overviews:
    return Overviews(world.database)


async def new_thread(world: World, *messages: NewMessage, participants: tuple[str, ...] = ()) -> str:
    draft = NewThread(id=new_id("thread"), messages=messages, participants=participants)
    return (await world.gateway.threads.create(world.tenant, draft)).id


async def test_threads_come_in_the_order_that_was_asked_for(world: World, overviews: Overviews) -> None:
    ids = [await new_thread(world) for _ in range(3)]
    asked = [ids[2], "thread_unknown", ids[0], ids[1]]
    assert [each.thread.id for each in await overviews.threads(world.tenant, asked)] == [ids[2], ids[0], ids[1]]
    assert await overviews.threads("another tenant", ids) == []
    assert await overviews.threads(world.tenant, []) == []


async def test_the_first_user_and_the_last_word(world: World, overviews: Overviews) -> None:
    users = [new_id("user"), new_id("user")]
    for user_id in users:
        await world.gateway.users.ensure(world.tenant, NewUser(id=user_id))
    empty = await new_thread(world)
    thread_id = await new_thread(world, participants=(users[1], users[0]))
    (overview,) = await overviews.threads(world.tenant, [thread_id])
    assert (overview.user_id, overview.last_said_at) == (users[1], overview.thread.created_at)
    message = await world.gateway.messages.create(world.tenant, thread_id, user())
    alone, overview = await overviews.threads(world.tenant, [empty, thread_id])
    assert (alone.user_id, alone.last_said_at) == (None, alone.thread.created_at)
    assert overview.last_said_at == message.created_at


async def test_what_a_tool_says_is_said(world: World, overviews: Overviews) -> None:
    calls = [call()]
    run = await world.parked(*calls)
    (before,) = await overviews.threads(world.tenant, [run.thread_id])
    await world.gateway.runs.submit_outputs(world.tenant, run.thread_id, run.id, [(calls[0].id, "42")])
    (after,) = await overviews.threads(world.tenant, [run.thread_id])
    assert after.last_said_at > before.last_said_at


async def test_turns(world: World, overviews: Overviews) -> None:
    thread_id = await new_thread(
        world,
        user(),
        NewMessage(id=new_id("message"), role="assistant", content=text(""), tool_calls=CALLS),
        NewMessage(id=new_id("message"), role="tool", content=text("1"), tool_call_id="a"),
    )
    expected = [Turn("user"), Turn("assistant", ("b", "a")), Turn("tool", tool_call_id="a")]
    assert await overviews.turns(world.tenant, thread_id) == (expected, True)
    assert await overviews.turns("another tenant", thread_id) == ([], True)


async def test_only_the_newest_turns_are_looked_at(world: World, overviews: Overviews) -> None:
    thread_id = await new_thread(world, NewMessage(id=new_id("message"), role="assistant", content=text("hi")))
    for _ in range(MOST_TURNS):
        await world.gateway.messages.create(world.tenant, thread_id, user())
    assert await overviews.turns(world.tenant, thread_id) == ([Turn("user")] * MOST_TURNS, False)


async def test_an_answer_is_a_turn_and_one_that_was_cut_off_with_its_run_is_none(
    world: World, overviews: Overviews
) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    message_id = new_id("message")
    await worker.driving.open_step(run, new_id("step"), message_id)
    assert await overviews.turns(world.tenant, run.thread_id) == ([Turn("user")], True)
    await worker.driving.fail(run, "server_error", "no", text("half an ans"))
    kept = await world.gateway.messages.get(world.tenant, run.thread_id, message_id)
    assert kept.incomplete_details == {"reason": "run_failed"}
    assert await overviews.turns(world.tenant, run.thread_id) == ([Turn("user")], True)
    whole = await world.claimed(worker)
    await worker.driving.finish(whole, answer())
    assert await overviews.turns(world.tenant, whole.thread_id) == ([Turn("user"), Turn("assistant")], True)


async def test_where_many_runs_stand(world: World) -> None:
    queued, parked = await world.start_run(), await world.parked(call())
    asked = [(world.tenant, queued.id), (world.tenant, parked.id), (world.tenant, "run_gone"), ("other", queued.id)]
    assert await Streams(world.database).states(asked) == {
        (world.tenant, queued.id): RunState(1, queued.status),
        (world.tenant, parked.id): RunState(parked.seq, parked.status),
    }
