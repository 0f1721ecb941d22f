"""A page of a list ends before it is too many bytes, has one object at least, and says that there are more."""

from typing import Any

import pytest
from engine_world import World, answer, new_id, text
from run_engine.domain.drafts import NewAssistant, NewMessage, NewRun, NewThread, NewToolCall, Page, PageRequest
from run_engine.domain.objects import Usage

SIZES = [100, 3000, 100, 20_000, 100, 100]
MOST = 5000


async def listed(world: World, kind: str, place: tuple[str, ...], request: PageRequest) -> Page[Any]:
    gateway = world.gateway
    match kind:
        case "messages":
            return await gateway.messages.list(world.tenant, place[0], request)
        case "runs":
            return await gateway.runs.list(world.tenant, place[0], request)
        case "steps":
            return await gateway.runs.list_steps(world.tenant, place[0], place[1], request)
        case _:
            return await gateway.assistants.list(world.tenant, request)


async def filled(world: World, kind: str) -> tuple[tuple[str, ...], list[str]]:
    """Makes objects of SIZES; returns where they are and their ids in order."""
    gateway, tenant = world.gateway, world.tenant
    if kind == "messages":
        drafts = [NewMessage(id=new_id("message"), role="user", content=text("x" * size)) for size in SIZES]
        thread = await gateway.threads.create(tenant, NewThread(id=new_id("thread"), messages=drafts))
        return (thread.id,), [each.id for each in drafts]
    if kind == "assistants":
        await gateway.assistants.delete(tenant, world.assistant_id)
        names = [new_id("assistant") for _ in SIZES]
        for name, size in zip(names, SIZES, strict=True):
            await gateway.assistants.create(tenant, NewAssistant(id=name, model="demo", instructions="x" * size))
        return (), names
    if kind == "runs":
        thread = await gateway.threads.create(tenant, NewThread(id=new_id("thread")))
        runs = [new_id("run") for _ in SIZES]
        for name, size in zip(runs, SIZES, strict=True):
            tools = [{"type": "function", "function": {"name": "f", "description": "x" * size}}]
            run = NewRun(id=name, assistant_id=world.assistant_id, tools=tools)
            await gateway.runs.start(tenant, thread.id, run)
            await gateway.runs.cancel(tenant, thread.id, name)
        return (thread.id,), runs
    worker = await world.live_worker()
    run = await world.start_run()
    steps = [new_id("step") for _ in SIZES]
    for name, size in zip(steps, SIZES, strict=True):
        claimed = await world.claimed(worker, run)
        call = NewToolCall(id=new_id("tool_call"), name="f", arguments="{}")
        await worker.driving.park(claimed, name, [call], Usage())
        await gateway.runs.submit_outputs(tenant, run.thread_id, run.id, [(call.id, "x" * size)])
    return (run.thread_id, run.id), steps


@pytest.mark.parametrize("kind", ["messages", "runs", "steps", "assistants"])
async def test_pages_cover_the_list_once(world: World, kind: str) -> None:
    place, ids = await filled(world, kind)
    for order, expected in (("asc", ids), ("desc", ids[::-1])):
        pages: list[list[str]] = []
        cursor = None
        while True:
            request = PageRequest(order=order, after=cursor, most_bytes=MOST)  # type: ignore[arg-type]
            page = await listed(world, kind, place, request)
            pages.append([each.id for each in page.items])
            if not page.has_more:
                break
            cursor = pages[-1][-1]
        assert [each for page in pages for each in page] == expected
        sizes = [[SIZES[ids.index(each)] for each in page] for page in pages]
        together = [[100, 3000, 100], [20_000], [100, 100]]
        assert sizes == (together if order == "asc" else [[100, 100], [20_000], [100, 3000, 100]])


@pytest.mark.parametrize("kind", ["messages", "runs", "steps", "assistants"])
async def test_pages_backwards_and_by_number(world: World, kind: str) -> None:
    place, ids = await filled(world, kind)
    page = await listed(world, kind, place, PageRequest(order="asc", before=ids[5], most_bytes=MOST))
    assert [each.id for each in page.items] == [ids[4]]
    assert page.has_more
    page = await listed(world, kind, place, PageRequest(order="asc", limit=2, most_bytes=MOST))
    assert [each.id for each in page.items] == ids[:2]
    assert page.has_more
    page = await listed(world, kind, place, PageRequest(order="asc", after=ids[3], most_bytes=MOST))
    assert [each.id for each in page.items] == ids[4:]
    assert not page.has_more
    page = await listed(world, kind, place, PageRequest(order="asc"))
    assert [each.id for each in page.items] == ids, "without a bound there is none"


async def test_what_a_run_wrote_counts_too(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.finish(run, answer("x" * 4990))
    page = await world.gateway.messages.list(world.tenant, run.thread_id, PageRequest(most_bytes=MOST))
    assert len(page.items) == 1
    assert page.has_more
