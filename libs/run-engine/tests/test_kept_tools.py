"""Tools: functions that are kept under a name, and given to assistants as copies."""

import asyncio

import pytest
from engine_world import World, new_id
from run_engine.domain.assistant_tools import MOST_TOOLS
from run_engine.domain.drafts import NewAssistant, NewTool, PageRequest
from run_engine.domain.objects import Json, Tool
from run_engine.errors import NotFound, TooManyTools

DATES = {"name": "dates", "parameters": {"type": "object", "properties": {"z": {}, "a": {}}}, "description": "When."}


async def kept(world: World, function: Json = DATES, name: str = "a tool") -> Tool:
    return await world.gateway.tools.create(world.tenant, NewTool(id=new_id("tool"), name=name, function=function))


async def functions(world: World) -> list[Json]:
    assistant = await world.gateway.assistants.get(world.tenant, world.assistant_id)
    return [tool["function"] for tool in assistant.tools if tool["type"] == "function"]


async def test_a_tool_is_stored_read_changed_listed_and_deleted(world: World) -> None:
    tools = world.gateway.tools
    first, second = await kept(world), await kept(world, {"description": "?"}, name="what")
    assert (first.name, first.function) == ("a tool", DATES)
    assert list(first.function) == list(DATES), "the definition reaches the model as it was written"
    assert second.function == {"description": "?", "name": "what"}
    assert await tools.get(world.tenant, first.id) == first
    assert list((await tools.list(world.tenant, PageRequest(order="asc"))).items) == [first, second]
    page = await tools.list(world.tenant, PageRequest(order="asc", most_bytes=1))
    assert (list(page.items), page.has_more) == ([first], True)
    renamed = await tools.modify(world.tenant, first.id, name="new")
    assert (renamed.name, renamed.function) == ("new", DATES)
    changed = await tools.modify(world.tenant, first.id, function={"strict": True})
    assert changed.function == {"strict": True, "name": "new"}
    await tools.delete(world.tenant, first.id)
    for missing in (
        tools.get(world.tenant, first.id),
        tools.modify(world.tenant, first.id, name="x"),
        tools.delete(world.tenant, first.id),
        tools.attach(world.tenant, world.assistant_id, first.id),
        tools.detach(world.tenant, world.assistant_id, first.id),
        tools.list(world.tenant, PageRequest(after=first.id)),
    ):
        with pytest.raises(NotFound) as found:
            await missing
        assert (found.value.kind, found.value.object_id) == ("tool", first.id)


async def test_an_assistant_gets_a_copy_that_stays_until_it_is_given_again(world: World) -> None:
    tools, tool = world.gateway.tools, await kept(world)
    await tools.attach(world.tenant, world.assistant_id, tool.id)
    assistant = await world.gateway.assistants.get(world.tenant, world.assistant_id)
    assert assistant.tools == [{"type": "file_search"}, {"type": "function", "function": DATES}]
    assert list(assistant.tools[1]["function"]) == list(DATES)
    await tools.modify(world.tenant, tool.id, function={"name": "dates", "description": "Now."})
    assert await functions(world) == [DATES]
    await tools.attach(world.tenant, world.assistant_id, tool.id)
    assert await functions(world) == [{"name": "dates", "description": "Now."}]
    await tools.delete(world.tenant, tool.id)
    assert await functions(world) == [{"name": "dates", "description": "Now."}]
    assert await tools.of_assistant(world.tenant, world.assistant_id) == []


async def test_a_function_takes_the_place_of_the_one_of_its_name(world: World) -> None:
    tools = world.gateway.tools
    own = {"name": "own"}
    both = [DATES, {"name": "dates", "description": "twice"}]
    await world.gateway.assistants.modify(
        world.tenant,
        world.assistant_id,
        {"tools": [{"type": "function", "function": each} for each in (both[0], own, both[1])]},
    )
    newer = await kept(world, {"name": "dates", "description": "newer"})
    await tools.attach(world.tenant, world.assistant_id, newer.id)
    assert await functions(world) == [newer.function, own]
    for _ in range(2):
        await tools.detach(world.tenant, world.assistant_id, newer.id)
        assert await functions(world) == [own]


async def test_the_tools_of_an_assistant_are_those_whose_functions_it_has(world: World) -> None:
    tools = world.gateway.tools
    older, newer = await kept(world), await kept(world, {"name": "dates", "description": "newer"})
    other, unused = await kept(world, {"name": "other"}), await kept(world, {"name": "unused"})
    for tool in (other, older):
        await tools.attach(world.tenant, world.assistant_id, tool.id)
    assert await tools.of_assistant(world.tenant, world.assistant_id) == [other, older]
    await tools.modify(world.tenant, older.id, function={"name": "dates", "description": "changed"})
    # It is a copy of neither any more.
    assert await tools.of_assistant(world.tenant, world.assistant_id) == [other, newer]
    assert unused not in await tools.of_assistant(world.tenant, world.assistant_id)
    with pytest.raises(NotFound) as missing:
        await tools.of_assistant(world.tenant, "asst_none")
    assert missing.value.kind == "assistant"


async def test_many_tools_can_be_given_at_once_and_none_is_lost(world: World) -> None:
    made = [await kept(world, {"name": f"f{i}"}) for i in range(8)]
    await asyncio.gather(
        *(world.gateway.tools.attach(world.tenant, world.assistant_id, tool.id) for tool in (*made, *made))
    )
    assert sorted(each["name"] for each in await functions(world)) == sorted(f"f{i}" for i in range(8))


async def test_an_assistant_has_a_limit(world: World) -> None:
    full = NewAssistant(
        id=new_id("assistant"),
        model="demo",
        tools=[{"type": "function", "function": {"name": f"f{i}"}} for i in range(MOST_TOOLS)],
    )
    await world.gateway.assistants.create(world.tenant, full)
    again, more = await kept(world, {"name": "f0", "description": "new"}), await kept(world)
    await world.gateway.tools.attach(world.tenant, full.id, again.id)
    with pytest.raises(TooManyTools) as refused:
        await world.gateway.tools.attach(world.tenant, full.id, more.id)
    assert refused.value.most == MOST_TOOLS
    assert len((await world.gateway.assistants.get(world.tenant, full.id)).tools) == MOST_TOOLS


async def test_no_assistant_gets_nothing(world: World) -> None:
    tool = await kept(world)
    for missing in (
        world.gateway.tools.attach(world.tenant, "asst_none", tool.id),
        world.gateway.tools.detach(world.tenant, "asst_none", tool.id),
    ):
        with pytest.raises(NotFound) as found:
            await missing
        assert (found.value.kind, found.value.object_id) == ("assistant", "asst_none")
