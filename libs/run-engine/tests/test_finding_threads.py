"""Threads are listed, and found by their metadata: all pairs have to fit, and other tenants' are never among them."""

from collections.abc import Awaitable, Callable

import pytest
from engine_world import World, new_id
from run_engine.domain.drafts import NewThread, PageRequest
from run_engine.domain.objects import Metadata
from run_engine.errors import NotFound

METADATA: list[Metadata] = [
    {"course": "1", "user": "ada"},
    {"course": "1", "user": "eva"},
    {},
    {"course": "2", "user": "ada"},
    {"course": "1", "user": "ada", "more": "x"},
    {"user": "", "course": "10"},
]


async def threads_of(world: World) -> list[str]:
    ids = [new_id("thread") for _ in METADATA]
    for thread_id, metadata in zip(ids, METADATA, strict=True):
        await world.gateway.threads.create(world.tenant, NewThread(id=thread_id, metadata=metadata))
    return ids


async def found(world: World, request: PageRequest, metadata: Metadata | None = None) -> list[str]:
    return [thread.id for thread in (await world.gateway.threads.list(world.tenant, request, metadata)).items]


@pytest.mark.parametrize(
    ("metadata", "places"),
    [
        (None, [0, 1, 2, 3, 4, 5]),
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"course": "1"}, [0, 1, 4]),
        ({"user": "ada"}, [0, 3, 4]),
        ({"course": "1", "user": "ada"}, [0, 4]),
        ({"user": ""}, [5]),
        ({"course": "3"}, []),
        ({"cours": "1"}, []),
        ({"course": "1'"}, []),
    ],
)
async def test_all_pairs_have_to_fit(
    new_world: Callable[[], Awaitable[World]], metadata: Metadata | None, places: list[int]
) -> None:
    world, other = await new_world(), await new_world()
    await threads_of(other)
    ids = await threads_of(world)
    expected = [ids[place] for place in places]
    assert await found(world, PageRequest(order="asc"), metadata) == expected
    assert await found(world, PageRequest(order="desc"), metadata) == expected[::-1]


@pytest.mark.parametrize("metadata", [None, {"course": "1"}])
async def test_pages(world: World, metadata: Metadata | None) -> None:
    ids = await threads_of(world)
    ids = ids if metadata is None else [ids[0], ids[1], ids[4]]
    first = await world.gateway.threads.list(world.tenant, PageRequest(limit=2, order="asc"), metadata)
    assert ([each.id for each in first.items], first.has_more) == (ids[:2], True)
    assert await found(world, PageRequest(order="asc", after=ids[1]), metadata) == ids[2:]
    assert await found(world, PageRequest(order="asc", before=ids[1]), metadata) == ids[:1]
    assert await found(world, PageRequest(limit=1, order="desc", after=ids[2]), metadata) == [ids[1]]


async def test_a_thread_is_found_by_what_it_says_now(world: World) -> None:
    ids = await threads_of(world)
    await world.gateway.threads.modify(world.tenant, ids[2], metadata={"course": "1"})
    await world.gateway.threads.modify(world.tenant, ids[0], metadata={"course": ""})
    assert await found(world, PageRequest(order="asc"), {"course": "1"}) == [ids[1], ids[2], ids[4]]


async def test_a_page_has_its_size(world: World) -> None:
    await world.gateway.threads.list(world.tenant, PageRequest(limit=100))
    with pytest.raises(ValueError, match="at most 100"):
        await world.gateway.threads.list(world.tenant, PageRequest(limit=101))


async def test_an_unknown_cursor(world: World) -> None:
    with pytest.raises(NotFound) as unknown:
        await world.gateway.threads.list(world.tenant, PageRequest(after="thread_missing"))
    assert (unknown.value.kind, unknown.value.object_id) == ("thread", "thread_missing")
