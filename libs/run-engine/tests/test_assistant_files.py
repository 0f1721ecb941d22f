"""The files of an assistant: among its tool resources, attached and taken off whatever else goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from engine_world import World, new_id
from run_engine.domain.assistant_files import MOST_FILES, files_of, with_files
from run_engine.domain.drafts import NewAssistant
from run_engine.domain.files import File, NewFile
from run_engine.domain.objects import Assistant, Json
from run_engine.errors import NotFound, TooManyFiles
from run_engine.store.assistant_files import AssistantFiles
from run_engine.store.assistants import Assistants
from run_engine.store.files import Files

SEARCH = {"file_search": {"vector_store_ids": ["vs_1"]}}


async def file(world: World) -> File:
    files, key = Files(world.database), uuid4().hex
    await files.reserve(world.tenant, key, 1)
    draft = NewFile(id=new_id("file"), bytes=1, filename="a.txt", purpose="assistants")
    return await files.create(world.tenant, key, draft)


async def assistant(world: World, tool_resources: Json | None = None) -> Assistant:
    draft = NewAssistant(id=new_id("assistant"), model="demo", tool_resources=tool_resources)
    return await Assistants(world.database).create(world.tenant, draft)


async def resources(world: World, made: Assistant) -> Json | None:
    return (await Assistants(world.database).get(world.tenant, made.id)).tool_resources


@pytest.mark.parametrize(
    ("tool_resources", "files"),
    [
        (None, []),
        ({}, []),
        (SEARCH, []),
        ({"code_interpreter": None}, []),
        ({"code_interpreter": {"file_ids": None}}, []),
        ({"code_interpreter": {"file_ids": ["b", "a", "b"]}}, ["b", "a"]),
    ],
)
def test_files_are_the_code_interpreters_each_once(tool_resources: Json | None, files: list[str]) -> None:
    assert files_of(tool_resources) == files
    assert files_of(with_files(tool_resources, ["x", "y", "x"])) == ["x", "y"]


async def test_files_come_in_the_order_in_which_they_were_attached_and_other_resources_stay(world: World) -> None:
    store = AssistantFiles(world.database)
    early, made, late = await file(world), await assistant(world, SEARCH), await file(world)
    first = await store.attach(world.tenant, made.id, late.id)
    second = await store.attach(world.tenant, made.id, early.id)
    assert (first.id, first.assistant_id, first.created_at) == (late.id, made.id, late.created_at)
    assert (second.id, second.assistant_id, second.created_at) == (early.id, made.id, made.created_at)
    assert await store.list(world.tenant, made.id) == [first, second]
    assert await store.attach(world.tenant, made.id, late.id) == first
    assert await resources(world, made) == {**SEARCH, "code_interpreter": {"file_ids": [late.id, early.id]}}
    assert await store.get(world.tenant, made.id, early.id) == second

    await store.detach(world.tenant, made.id, late.id)
    assert await store.list(world.tenant, made.id) == [second]
    assert await resources(world, made) == {**SEARCH, "code_interpreter": {"file_ids": [early.id]}}
    assert (await Files(world.database).get(world.tenant, late.id)).id == late.id


async def test_a_change_of_files_leaves_other_resources(world: World) -> None:
    made = await assistant(world, SEARCH)
    changes = {"file_ids": ["a", "b"], "name": "n"}
    changed = await Assistants(world.database).modify(world.tenant, made.id, changes)
    assert changed.name == "n"
    assert changed.tool_resources == {**SEARCH, "code_interpreter": {"file_ids": ["a", "b"]}}
    assert changes == {"file_ids": ["a", "b"], "name": "n"}


async def test_a_file_that_was_deleted_stays_listed(world: World) -> None:
    store = AssistantFiles(world.database)
    made, gone = await assistant(world), await file(world)
    await store.attach(world.tenant, made.id, gone.id)
    await Files(world.database).delete(world.tenant, gone.id)
    (listed,) = await store.list(world.tenant, made.id)
    assert (listed.id, listed.created_at) == (gone.id, made.created_at)


async def test_what_is_not_there_is_named(world: World) -> None:
    store = AssistantFiles(world.database)
    made, loose = await assistant(world), await file(world)
    for request in (
        store.attach(world.tenant, made.id, "file-none"),
        store.detach(world.tenant, made.id, loose.id),
        store.get(world.tenant, made.id, loose.id),
    ):
        with pytest.raises(NotFound, match="No file found"):
            await request
    for request in (
        store.attach(world.tenant, "asst_none", loose.id),
        store.detach(world.tenant, "asst_none", loose.id),
        store.get(world.tenant, "asst_none", loose.id),
        store.list(world.tenant, "asst_none"),
    ):
        with pytest.raises(NotFound, match="No assistant found with id 'asst_none'"):
            await request


async def test_another_tenant_sees_neither_the_assistant_nor_the_file(
    world: World, new_world: Callable[[], Awaitable[World]]
) -> None:
    other = await new_world()
    store = AssistantFiles(world.database)
    made, theirs = await assistant(world), await file(other)
    with pytest.raises(NotFound, match=f"No file found with id '{theirs.id}'"):
        await store.attach(world.tenant, made.id, theirs.id)
    with pytest.raises(NotFound, match=f"No assistant found with id '{made.id}'"):
        await store.attach(other.tenant, made.id, theirs.id)


async def test_of_many_that_attach_at_once_none_is_lost_and_none_too_many(world: World) -> None:
    store = AssistantFiles(world.database)
    made = await assistant(world)
    files = [await file(world) for _ in range(MOST_FILES + 3)]
    outcomes = await asyncio.gather(
        *(store.attach(world.tenant, made.id, each.id) for each in files), return_exceptions=True
    )
    refused = [each for each in outcomes if isinstance(each, TooManyFiles)]
    assert [each.most for each in refused] == [MOST_FILES] * 3
    attached = {each.id for each in outcomes if not isinstance(each, BaseException)}
    assert {each.id for each in await store.list(world.tenant, made.id)} == attached
    assert len(attached) == MOST_FILES
