"""Users, kept tools, participants, senders and messages of tools: exported and imported like all else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import imported
import pytest
from engine_world import World, new_id, text, user
from imported import BEGAN
from run_engine.domain.drafts import NewAssistant, NewMessage, NewThread, NewTool, NewUser, PageRequest
from run_engine.domain.imports import ImportedObject, ImportRefused
from run_engine.domain.objects import Thread, Tool, User
from run_engine.errors import NotFound
from run_engine.store.exports import PAGE, Exports
from run_engine.store.imports import Imports


async def store(world: World, *objects: ImportedObject) -> dict[str, int]:
    return dict(await Imports(world.database).store(world.tenant, enumerate(objects)))


async def everything(world: World, thread_id: str | None = None) -> list[ImportedObject]:
    pages = [each async for page in Exports(world.database).pages(world.tenant, thread_id) for each in page]
    return [each for each in pages if each.id != world.assistant_id]


def person(**fields: object) -> User:
    return User(**{"id": "user_old", "created_at": BEGAN, "name": "Ada", "metadata": {}} | fields)  # type: ignore[arg-type]


def tool(**fields: object) -> Tool:
    function = {"name": "f", "parameters": {"z": 1, "a": 2}}
    return Tool(**{"id": "tool_old", "created_at": BEGAN, "name": "f", "function": function} | fields)  # type: ignore[arg-type]


CALLS = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


async def test_people_and_their_conversations_come_back_as_they_came_in_any_order(world: World) -> None:
    objects = [
        imported.message(id="msg_1", sender_id="user_old"),
        imported.message(id="msg_2", role="assistant", tool_calls=CALLS),
        imported.message(id="msg_3", role="tool", tool_call_id="call_1", sender_id=None),
        imported.thread(title="Dates", assistant_id="asst_gone", participants=("user_2", "user_old")),
        tool(),
        person(assistant_ids=("asst_2", "asst_old")),
        person(id="user_2", name=None, metadata={"a": "b"}),
        imported.assistant(),
        imported.assistant(id="asst_2"),
    ]
    counts = await store(world, *objects)
    assert {kind: counts[kind] for kind in ("user", "tool", "thread", "message")} == {
        "user": 2, "tool": 1, "thread": 1, "message": 3,
    }  # fmt: skip
    exported = await everything(world)
    assert sorted(exported, key=lambda each: each.id) == sorted(objects, key=lambda each: each.id)
    assert [type(each).__name__ for each in exported] == [
        *["Assistant"] * 2, *["User"] * 2, "Tool", "Thread", *["Message"] * 3,
    ]  # fmt: skip
    stored_tool = next(each for each in exported if isinstance(each, Tool))
    assert list(stored_tool.function["parameters"]) == ["z", "a"]
    assert [each.id for each in await world.gateway.users.participants(world.tenant, "thread_old")] == [
        "user_2",
        "user_old",
    ]
    assert [each.id for each in await world.gateway.users.assistants_of(world.tenant, "user_old")] == [
        "asst_2",
        "asst_old",
    ]


async def test_what_was_made_here_goes_into_another_tenant_and_comes_out_the_same(
    new_world: Callable[[], Awaitable[World]],
) -> None:
    world, other = await new_world(), await new_world()
    gateway, tenant = world.gateway, world.tenant
    people = [await gateway.users.create(tenant, NewUser(id=new_id("user"), name=name)) for name in ("Ada", "Bob")]
    other_assistant = await gateway.assistants.create(tenant, NewAssistant(id=new_id("assistant"), model="demo"))
    kept = await gateway.tools.create(tenant, NewTool(id=new_id("tool"), name="x", function={"b": 1, "a": 2}))
    await gateway.tools.attach(tenant, other_assistant.id, kept.id)
    for each in people:
        await gateway.users.attach_assistant(tenant, each.id, other_assistant.id)
    said = [
        replace(user("hello"), sender_id=people[1].id),
        NewMessage(id=new_id("message"), role="assistant", content=text(""), tool_calls=CALLS),
        NewMessage(id=new_id("message"), role="tool", content=text("out"), tool_call_id="call_1"),
    ]
    draft = NewThread(
        id=new_id("thread"),
        title="Dates",
        assistant_id=other_assistant.id,
        participants=[people[1].id, people[0].id],
        messages=said,
    )
    thread = await gateway.threads.create(tenant, draft)
    leaver = await gateway.users.create(tenant, NewUser(id=new_id("user")))
    await gateway.messages.create(tenant, thread.id, replace(user("bye"), sender_id=leaver.id))
    await gateway.users.delete(tenant, leaver.id)
    exported = await everything(world)
    await store(other, *exported)
    assert await everything(other) == exported
    before = await gateway.conversations.list(tenant, thread.id, PageRequest(order="asc"))
    assert await other.gateway.conversations.list(other.tenant, thread.id, PageRequest(order="asc")) == before
    assert len(before.items) == 4
    # Again, over itself.
    await store(other, *exported)
    assert await everything(other) == exported
    # In any pieces, one after another.
    third = await new_world()
    for each in exported:
        await store(third, each)
    assert await everything(third) == exported


async def test_one_thread_brings_its_people_along(new_world: Callable[[], Awaitable[World]]) -> None:
    world, other = await new_world(), await new_world()
    await store(
        world,
        imported.assistant(),
        person(assistant_ids=("asst_old",)),
        person(id="user_2"),
        imported.thread(participants=("user_old",)),
        imported.message(sender_id="user_old"),
    )
    exported = await everything(world, "thread_old")
    # The assistant is in no export of a thread, so it is not named.
    assert [(type(each).__name__, each.id) for each in exported] == [
        ("User", "user_old"), ("Thread", "thread_old"), ("Message", "msg_old"),
    ]  # fmt: skip
    assert exported[0] == person()
    await store(other, *exported)
    assert await everything(other, "thread_old") == exported
    # Over what is there it takes nothing away.
    await store(world, *exported)
    assert [each.id for each in await world.gateway.users.assistants_of(world.tenant, "user_old")] == ["asst_old"]


async def test_what_is_not_told_stays_and_what_is_told_is_replaced(world: World) -> None:
    users = world.gateway.users
    await store(
        world,
        imported.assistant(),
        person(assistant_ids=("asst_old",)),
        person(id="user_2"),
        imported.thread(participants=("user_old",), title="Dates"),
    )
    await store(world, imported.thread(), person(name="Countess"))
    assert [each.name for each in await users.participants(world.tenant, "thread_old")] == ["Countess"]
    assert (await world.gateway.threads.get(world.tenant, "thread_old")).title is None
    assert len(await users.assistants_of(world.tenant, "user_old")) == 1
    await store(world, imported.thread(participants=("user_2",)), person(assistant_ids=()))
    assert [each.id for each in await users.participants(world.tenant, "thread_old")] == ["user_2"]
    assert await users.assistants_of(world.tenant, "user_old") == []


async def test_people_and_assistants_must_be_there_and_senders_need_not(world: World) -> None:
    await store(world, person())
    objects = [
        imported.thread(participants=("user_old", "user_none")),
        person(id="user_3", assistant_ids=("asst_none",)),
        imported.message(sender_id="user_gone"),
    ]
    with pytest.raises(ImportRefused) as refused:
        await store(world, *objects)
    why = [(each.index, each.field, each.reason) for each in refused.value.refused]
    assert [(index, field) for index, field, _ in why] == [(0, "participants"), (1, "assistant_ids")]
    reasons = [reason for _, _, reason in why]
    assert [(each.kind, each.object_id) for each in reasons if isinstance(each, NotFound)] == [
        ("user", "user_none"),
        ("assistant", "asst_none"),
    ]
    assert await everything(world) == [person()]
    await store(world, imported.thread(participants=("user_old",)), objects[2])


async def test_nothing_is_named_before_it_comes_though_people_come_meanwhile(world: World) -> None:
    """Users and assistants that are made while an export is read are left out, or come in time."""
    users, tenant = world.gateway.users, world.tenant
    await store(world, person(), imported.thread(participants=("user_old",)))
    taken: list[ImportedObject] = []
    async for page in Exports(world.database).pages(tenant):
        if not taken:
            late = await world.gateway.assistants.create(tenant, NewAssistant(id=new_id("assistant"), model="demo"))
            await users.attach_assistant(tenant, "user_old", late.id)
        if any(isinstance(each, User) for each in page) and not any(isinstance(each, User) for each in taken):
            await users.create(tenant, NewUser(id="user_late"))
            await users.add_participant(tenant, "thread_old", "user_late")
        taken += page
    shown = [(type(each).__name__, each.id) for each in taken if each.id != world.assistant_id]
    assert shown == [("User", "user_old"), ("User", "user_late"), ("Thread", "thread_old")]
    assert taken[1] == person()
    threads = [each for each in taken if isinstance(each, Thread)]
    assert threads[0].participants == ("user_old", "user_late")


async def test_many_people_are_exported_once_each(world: World) -> None:
    people = [person(id=f"user_{number}") for number in range(PAGE + 30)]
    tools = [tool(id=f"tool_{number}") for number in range(PAGE + 30)]
    await store(world, *people, *tools, imported.thread(participants=tuple(each.id for each in people)))
    exported = await everything(world)
    assert exported[:-1] == [*people, *tools]


async def test_imports_and_deletions_of_people_race_without_deadlock(world: World) -> None:
    objects = [
        imported.assistant(),
        person(assistant_ids=("asst_old",)),
        person(id="user_2"),
        imported.thread(participants=("user_old", "user_2")),
    ]
    await store(world, *objects)
    for _ in range(15):
        results = await asyncio.gather(
            store(world, *objects),
            world.gateway.users.delete(world.tenant, "user_2"),
            store(world, imported.thread(participants=("user_2", "user_old"))),
            world.gateway.users.delete(world.tenant, "user_old"),
            store(world, *reversed(objects)),
            return_exceptions=True,
        )
        for each in results:
            assert not isinstance(each, BaseException) or isinstance(each, ImportRefused | NotFound), each
    await store(world, *objects)
    assert len(await world.gateway.users.participants(world.tenant, "thread_old")) == 2
