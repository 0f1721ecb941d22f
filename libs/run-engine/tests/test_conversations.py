"""Conversations: messages of tools and answers to calls, which OpenAI's lists have never had."""

import asyncio

import pytest
from engine_world import World, answer, call, new_id, text, user
from run_engine.domain.drafts import NewMessage, NewThread, PageRequest
from run_engine.domain.objects import Json, Message
from run_engine.errors import NotFound, ThreadBusy, Unanswerable

EVERYTHING = PageRequest(limit=100, order="asc")
CALLS: list[Json] = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def from_tool(value: str = "a result", call_id: str | None = "call_1") -> NewMessage:
    return NewMessage(id=new_id("message"), role="tool", content=text(value), tool_call_id=call_id)


def from_assistant() -> NewMessage:
    return NewMessage(id=new_id("message"), role="assistant", content=text(""), tool_calls=CALLS)


async def told(world: World, thread_id: str, request: PageRequest = EVERYTHING) -> list[Message]:
    return list((await world.gateway.conversations.list(world.tenant, thread_id, request)).items)


async def answered(world: World) -> tuple[str, str, list[str]]:
    """Thread, run and calls of a run with two answered calls, and its answer."""
    calls = [call(), call("moodle")]
    run = await world.parked(*calls)
    await world.gateway.answers.complete(world.tenant, run.id, calls[1].id, "from moodle")
    await world.gateway.runs.submit_outputs(world.tenant, run.thread_id, run.id, [(calls[0].id, "from the client")])
    worker = await world.live_worker()
    claimed = await worker.driving.claim(world.tenant, run.id)
    assert claimed is not None
    await worker.driving.finish(claimed, answer())
    return run.thread_id, run.id, [each.id for each in calls]


async def test_messages_of_tools_are_stored_and_only_conversations_show_them(world: World) -> None:
    messages = world.gateway.messages
    drafts = [user(), from_assistant(), from_tool()]
    thread = await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), messages=drafts))
    added = [await messages.create(world.tenant, thread.id, draft) for draft in (from_assistant(), from_tool())]
    said = await told(world, thread.id)
    assert [message.id for message in said] == [draft.id for draft in drafts] + [message.id for message in added]
    assert [message.role for message in said] == ["user", "assistant", "tool", "assistant", "tool"]
    assert [message.tool_calls for message in said] == [None, CALLS, None, CALLS, None]
    assert [message.tool_call_id for message in said] == [None, None, "call_1", None, "call_1"]
    assert said[3:] == added
    listed = await messages.list(world.tenant, thread.id, EVERYTHING)
    assert list(listed.items) == [said[0], said[1], said[3]]
    hidden = added[1].id
    for missing in (
        messages.get(world.tenant, thread.id, hidden),
        messages.modify(world.tenant, thread.id, hidden, {"a": "b"}),
        messages.delete(world.tenant, thread.id, hidden),
        messages.list(world.tenant, thread.id, PageRequest(after=hidden)),
    ):
        with pytest.raises(NotFound) as found:
            await missing
        assert found.value.kind == "message"
    assert await world.gateway.conversations.get(world.tenant, hidden) == added[1]
    assert await world.outbox(thread.id) == ["message.created"], "messages of users alone are events"


async def test_a_page_of_openais_list_is_full_whatever_tools_said(world: World) -> None:
    drafts = [draft for _ in range(5) for draft in (user(), from_tool(), from_tool())]
    thread = await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), messages=drafts))
    page = await world.gateway.messages.list(world.tenant, thread.id, PageRequest(limit=4, order="asc"))
    assert [message.id for message in page.items] == [draft.id for draft in drafts[:12:3]]
    assert page.has_more
    rest = await world.gateway.messages.list(
        world.tenant, thread.id, PageRequest(limit=1, order="asc", after=drafts[9].id)
    )
    assert ([message.id for message in rest.items], rest.has_more) == ([drafts[12].id], False)


async def test_prompts_have_messages_of_tools(world: World) -> None:
    drafts = [user(), from_assistant(), from_tool()]
    thread = await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), messages=drafts))
    latest = await world.gateway.messages.latest(world.tenant, thread.id, 2)
    assert [message.role for message in latest] == ["tool", "assistant"]
    older = await world.gateway.messages.latest(world.tenant, thread.id, 10, before=drafts[2].id)
    assert [message.id for message in older] == [drafts[1].id, drafts[0].id]
    assert await world.gateway.messages.latest(world.tenant, thread.id, 10, before="msg_gone") == []


async def test_an_answered_call_is_a_message_of_a_tool_under_its_own_id(world: World) -> None:
    thread_id, run_id, (ours, theirs) = await answered(world)
    said = await told(world, thread_id)
    assert [message.role for message in said] == ["user", "tool", "tool", "assistant"]
    assert [message.id for message in said[1:3]] == [theirs, ours], "answers stand where they came"
    tool = said[1]
    assert (tool.thread_id, tool.run_id, tool.tool_call_id) == (thread_id, run_id, theirs)
    assert tool.content == text("from moodle")
    assert (tool.status, tool.completed_at) == ("completed", tool.created_at)
    assert (tool.assistant_id, tool.attachments, tool.metadata, tool.sender_id) == (None, [], {}, None)
    assert [message.created_at for message in said] == sorted(message.created_at for message in said)
    for message in said:
        assert await world.gateway.conversations.get(world.tenant, message.id) == message


async def test_open_calls_have_said_nothing(world: World) -> None:
    calls = [call(), call("moodle")]
    run = await world.parked(*calls)
    await world.gateway.answers.complete(world.tenant, run.id, calls[1].id, "out")
    assert [message.role for message in await told(world, run.thread_id)] == ["user", "tool"]
    with pytest.raises(NotFound):
        await world.gateway.conversations.get(world.tenant, calls[0].id)
    with pytest.raises(NotFound):
        await told(world, run.thread_id, PageRequest(after=calls[0].id))


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_walking_in_pages_meets_everything_once(world: World, order: str, limit: int) -> None:
    thread_id, _, _ = await answered(world)
    for draft in (from_tool(), user(), from_tool(call_id=None)):
        await world.gateway.messages.create(world.tenant, thread_id, draft)
    whole = [message.id for message in await told(world, thread_id)]
    assert len(whole) == 7
    whole = whole if order == "asc" else whole[::-1]
    met: list[str] = []
    more = True
    while more:
        after = met[-1] if met else None
        page = await world.gateway.conversations.list(
            world.tenant,
            thread_id,
            PageRequest(limit=limit, order=order, after=after),  # type: ignore[arg-type]
        )
        met += [message.id for message in page.items]
        more = page.has_more
    assert met == whole
    before = await told(world, thread_id, PageRequest(limit=2, order=order, before=whole[4]))  # type: ignore[arg-type]
    assert [message.id for message in before] == whole[2:4]


async def test_a_page_ends_where_it_is_too_many_bytes(world: World) -> None:
    run = await world.parked(call("moodle"), call("moodle"))
    calls = await world.gateway.runs.open_calls(world.tenant, run.thread_id, run.id)
    for each in calls:
        await world.gateway.answers.complete(world.tenant, run.id, each.id, "x" * 10_000)
    page = await world.gateway.conversations.list(
        world.tenant, run.thread_id, PageRequest(order="asc", most_bytes=15_000)
    )
    assert [message.role for message in page.items] == ["user", "tool"]
    assert page.has_more
    rest = await told(world, run.thread_id, PageRequest(order="asc", most_bytes=1, after=calls[0].id))
    assert [message.id for message in rest] == [calls[1].id]


async def test_calls_of_a_written_message_count_as_bytes(world: World) -> None:
    heavy = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "x" * 9000}}]
    drafts = [
        NewMessage(id=new_id("message"), role="assistant", content=[], tool_calls=heavy),
        from_tool(),
    ]
    thread = await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), messages=drafts))
    page = await world.gateway.conversations.list(world.tenant, thread.id, PageRequest(order="asc", most_bytes=9050))
    assert ([message.id for message in page.items], page.has_more) == ([drafts[0].id], True)


async def test_what_is_not_there_was_not_said(world: World) -> None:
    with pytest.raises(NotFound) as thread:
        await told(world, "thread_none")
    assert thread.value.kind == "thread"
    with pytest.raises(NotFound) as message:
        await world.gateway.conversations.get(world.tenant, "msg_none")
    assert message.value.kind == "message"
    empty = await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread")))
    assert await told(world, empty.id) == []


async def test_a_thread_that_is_deleted_takes_all_that_was_said_with_it(world: World) -> None:
    thread_id, run_id, calls = await answered(world)
    await world.gateway.threads.delete(world.tenant, thread_id)
    for missing in (world.gateway.conversations.get(world.tenant, each) for each in calls):
        with pytest.raises(NotFound):
            await missing
    for lost in (
        world.gateway.runs.find(world.tenant, run_id),
        world.gateway.runs.tool_calls(world.tenant, run_id),
        world.gateway.runs.find_call(world.tenant, calls[0]),
    ):
        with pytest.raises(NotFound):
            await lost


async def test_a_request_for_calls_stands_right_before_the_first_of_their_answers(world: World) -> None:
    thread_id, run_id, calls = await answered(world)
    (step, _) = (await world.gateway.runs.list_steps(world.tenant, thread_id, run_id, EVERYTHING)).items
    said = await told(world, thread_id)
    answers = [each.id for each in said if each.role == "tool"]
    place = said.index(next(each for each in said if each.role == "tool"))
    assert await told(world, thread_id, PageRequest(limit=100, order="asc", after=step.id)) == said[place:]
    assert await told(world, thread_id, PageRequest(limit=100, order="desc", after=step.id)) == said[:place][::-1]
    found = await world.gateway.conversations.calls_of(world.tenant, [run_id, "run_nobodys"])
    assert [(each.run_id, each.step_id, each.call.id) for each in found] == [(run_id, step.id, each) for each in calls]
    assert [each.call.id for each in found if each.answered_first] == answers[:1]
    assert await world.gateway.conversations.calls_of("another-tenant", [run_id]) == []


async def test_a_request_that_nobody_has_answered_stands_at_the_end(world: World) -> None:
    run = await world.parked(call())
    (step,) = (await world.gateway.runs.list_steps(world.tenant, run.thread_id, run.id, EVERYTHING)).items
    said = await told(world, run.thread_id)
    assert await told(world, run.thread_id, PageRequest(limit=100, order="asc", after=step.id)) == []
    assert await told(world, run.thread_id, PageRequest(limit=100, order="desc", after=step.id)) == said[::-1]


async def test_a_message_follows_what_is_said_meanwhile(world: World) -> None:
    messages, database = world.gateway.messages, world.database
    thread = await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), messages=[user()]))

    async def adding(draft: NewMessage) -> Message:
        return await messages.create(world.tenant, thread.id, draft, in_turn=True)

    async with database.unit_of_work():
        await adding(from_assistant())
        late = asyncio.create_task(adding(user()))
        async with asyncio.timeout(10):
            while not await world.sql("SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"):
                await asyncio.sleep(0.01)
    with pytest.raises(Unanswerable) as refused:
        await late
    assert (refused.value.reason, refused.value.call_ids) == ("calls_not_answered", ("call_1",))
    await adding(from_tool())
    await adding(user())
    assert [each.role for each in await told(world, thread.id)] == ["user", "assistant", "tool", "user"]


async def test_a_thread_that_is_away_or_busy_takes_no_turn(world: World) -> None:
    run = await world.parked(call())
    with pytest.raises(ThreadBusy):
        await world.gateway.messages.create(world.tenant, run.thread_id, from_tool(), in_turn=True)
    with pytest.raises(NotFound) as found:
        await world.gateway.messages.create(world.tenant, "thread_nobodys", user(), in_turn=True)
    assert found.value.kind == "thread"
