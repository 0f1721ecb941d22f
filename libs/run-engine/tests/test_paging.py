"""Lists by (created_at, position), in both orders, with both cursors."""

import pytest
from engine_world import World, answer, new_id, text, user
from run_engine.domain.drafts import NewMessage, NewThread, PageRequest
from run_engine.errors import NotFound

COUNT = 7


@pytest.fixture
async def thread_of_seven(world: World) -> tuple[str, list[str]]:
    """A thread whose messages share one time, so that only their position orders them."""
    messages = [NewMessage(id=new_id("message"), role="user", content=text(str(place))) for place in range(COUNT)]
    thread = await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), messages=messages))
    times = await world.sql("SELECT DISTINCT created_at FROM messages WHERE thread_id = $1", thread.id)
    assert len(times) == 1
    return thread.id, [message.id for message in messages]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
async def test_pages_forward_cover_the_list_once(
    world: World, thread_of_seven: tuple[str, list[str]], order: str, limit: int
) -> None:
    thread_id, ids = thread_of_seven
    expected = ids if order == "asc" else ids[::-1]
    seen: list[str] = []
    after = None
    while True:
        page = await world.gateway.messages.list(
            world.tenant,
            thread_id,
            PageRequest(limit=limit, order=order, after=after),  # type: ignore[arg-type]
        )
        seen += [message.id for message in page.items]
        assert page.has_more is (len(seen) < COUNT)
        if not page.has_more:
            break
        after = seen[-1]
    assert seen == expected


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_before_gives_the_page_that_ends_just_before(
    world: World, thread_of_seven: tuple[str, list[str]], order: str
) -> None:
    thread_id, ids = thread_of_seven
    shown = ids if order == "asc" else ids[::-1]
    page = await world.gateway.messages.list(
        world.tenant,
        thread_id,
        PageRequest(limit=2, order=order, before=shown[5]),  # type: ignore[arg-type]
    )
    assert [message.id for message in page.items] == shown[3:5]
    assert page.has_more
    first = await world.gateway.messages.list(
        world.tenant,
        thread_id,
        PageRequest(limit=9, order=order, before=shown[3]),  # type: ignore[arg-type]
    )
    assert [message.id for message in first.items] == shown[:3]
    assert not first.has_more


async def test_both_cursors_bound_the_page(world: World, thread_of_seven: tuple[str, list[str]]) -> None:
    thread_id, ids = thread_of_seven
    page = await world.gateway.messages.list(
        world.tenant, thread_id, PageRequest(order="asc", after=ids[1], before=ids[5])
    )
    assert [message.id for message in page.items] == ids[2:5]
    assert not page.has_more


async def test_a_cursor_of_another_thread_is_unknown(world: World, thread_of_seven: tuple[str, list[str]]) -> None:
    other = await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), messages=[user()]))
    _, ids = thread_of_seven
    with pytest.raises(NotFound) as unknown:
        await world.gateway.messages.list(world.tenant, other.id, PageRequest(after=ids[0]))
    assert unknown.value.kind == "message"
    with pytest.raises(NotFound):
        await world.gateway.messages.list(world.tenant, "thread_missing", PageRequest())


async def test_messages_of_one_run(world: World) -> None:

    worker = await world.live_worker()
    run = await world.claimed(worker)
    given = answer()
    await worker.driving.finish(run, given)
    page = await world.gateway.messages.list(world.tenant, run.thread_id, PageRequest(), run_id=run.id)
    assert [message.id for message in page.items] == [given.message_id]


async def test_the_newest_messages_come_newest_first(world: World, thread_of_seven: tuple[str, list[str]]) -> None:
    thread_id, ids = thread_of_seven
    latest = await world.gateway.messages.latest(world.tenant, thread_id, 3)
    assert [message.id for message in latest] == ids[:-4:-1]


async def test_assistants_page_per_tenant(world: World) -> None:
    page = await world.gateway.assistants.list(world.tenant, PageRequest())
    assert [assistant.id for assistant in page.items] == [world.assistant_id]
