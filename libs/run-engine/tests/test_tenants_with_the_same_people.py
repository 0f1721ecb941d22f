"""Users, tools, participants, senders and calls of the same ids in two tenants: each sees and moves its own alone.

Every statement about them is run in one tenant, and all that the other one has is compared with what it was.
"""

from collections.abc import Awaitable, Callable

import pytest
from engine_world import World, new_id, text
from run_engine.domain.drafts import (
    NewAssistant,
    NewMessage,
    NewRun,
    NewThread,
    NewTool,
    NewToolCall,
    NewUser,
    PageRequest,
)
from run_engine.domain.objects import Usage
from run_engine.errors import NotFound

PAGE = PageRequest(limit=100, order="asc")
TABLES = (
    *("users", "tools", "thread_participants", "user_assistants", "id_aliases", "assistants", "threads", "messages"),
    *("runs", "run_steps", "tool_calls"),
)


class People:
    """One of two tenants that have the same ids."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tenant = world.tenant

    async def settle(self) -> None:
        world, tenant = self.world, self.tenant
        gateway = world.gateway
        await gateway.users.create(tenant, NewUser(id="user_same", name=f"Ada of {tenant}"))
        await gateway.users.create(tenant, NewUser(id="user_other", name=f"Bob of {tenant}"))
        await gateway.assistants.create(tenant, NewAssistant(id="asst_same", model=tenant))
        function = {"name": "f", "description": tenant}
        await gateway.tools.create(tenant, NewTool(id="tool_same", name=tenant, function=function))
        await gateway.tools.attach(tenant, "asst_same", "tool_same")
        await gateway.users.attach_assistant(tenant, "user_same", "asst_same")
        thread = NewThread(
            id="thread_same",
            title=tenant,
            assistant_id="asst_same",
            participants=["user_same"],
            messages=[
                NewMessage(id="msg_same", role="user", content=text(tenant), sender_id="user_same"),
                NewMessage(id="msg_tool", role="tool", content=text(tenant), tool_call_id="call_of_old"),
            ],
        )
        draft = NewRun(id="run_same", assistant_id="asst_same")
        await gateway.runs.start_on_new_thread(tenant, thread, draft)
        worker = await world.live_worker()
        run = await worker.driving.claim(tenant, "run_same")
        assert run is not None
        calls = [
            NewToolCall(id=name, name=tenant, arguments="{}", service=service, timeout=30)
            for name, service in (("call_same", "moodle"), ("call_open", None), ("call_answered", "moodle"))
        ]
        await worker.driving.park(run, "step_same", calls, Usage())
        await gateway.answers.complete(tenant, "run_same", "call_answered", tenant)
        await gateway.aliases.number(tenant, "thread", "thread_same")

    async def rows(self) -> object:
        return [
            await self.world.sql(f"SELECT * FROM {table} WHERE tenant_id = $1 ORDER BY position", self.tenant)
            if table != "id_aliases"
            else await self.world.sql("SELECT * FROM id_aliases WHERE tenant_id = $1", self.tenant)
            for table in TABLES
        ]

    async def shown(self) -> list[object]:
        """All that the stores show of it."""
        gateway, tenant = self.world.gateway, self.tenant
        number = await gateway.aliases.number(tenant, "thread", "thread_same")
        return [
            await gateway.users.get(tenant, "user_same"),
            await gateway.users.list(tenant, PAGE),
            await gateway.users.list(tenant, PageRequest(after="user_other")),
            await gateway.users.threads_of(tenant, "user_same"),
            await gateway.users.participants(tenant, "thread_same"),
            await gateway.users.assistants_of(tenant, "user_same"),
            await gateway.tools.get(tenant, "tool_same"),
            await gateway.tools.list(tenant, PAGE),
            await gateway.tools.of_assistant(tenant, "asst_same"),
            await gateway.threads.get(tenant, "thread_same"),
            await gateway.conversations.list(tenant, "thread_same", PAGE),
            await gateway.conversations.list(tenant, "thread_same", PageRequest(after="call_answered")),
            await gateway.conversations.get(tenant, "msg_tool"),
            await gateway.conversations.get(tenant, "call_answered"),
            await gateway.messages.list(tenant, "thread_same", PAGE),
            await gateway.runs.find(tenant, "run_same"),
            await gateway.runs.open_calls(tenant, "thread_same", "run_same"),
            await gateway.runs.tool_calls(tenant, "run_same"),
            await gateway.runs.find_call(tenant, "call_same"),
            await gateway.aliases.id_of(tenant, "thread", number),
        ]


@pytest.fixture
async def pair(world: World, new_world: Callable[[], Awaitable[World]]) -> tuple[People, People]:
    pair = People(world), People(await new_world())
    for each in pair:
        await each.settle()
    return pair


async def test_each_sees_its_own(pair: tuple[People, People]) -> None:
    one, other = pair
    shown = repr(await one.shown())
    assert one.tenant in shown
    assert other.tenant not in shown


async def test_nothing_that_one_does_is_done_to_the_other(pair: tuple[People, People]) -> None:
    one, other = pair
    tenant, gateway = one.tenant, one.world.gateway
    before, mine = await other.rows(), await one.rows()
    doings: list[Callable[[], Awaitable[object]]] = [
        lambda: gateway.users.ensure(tenant, NewUser(id="user_new")),
        lambda: gateway.users.modify(tenant, "user_same", name="x", metadata={"a": "b"}),
        lambda: gateway.users.add_participant(tenant, "thread_same", "user_other"),
        lambda: gateway.users.remove_participant(tenant, "thread_same", "user_same"),
        lambda: gateway.users.attach_assistant(tenant, "user_other", "asst_same"),
        lambda: gateway.users.detach_assistant(tenant, "user_same", "asst_same"),
        lambda: gateway.tools.modify(tenant, "tool_same", name="x", function={"name": "f"}),
        lambda: gateway.tools.attach(tenant, "asst_same", "tool_same"),
        lambda: gateway.tools.detach(tenant, "asst_same", "tool_same"),
        lambda: gateway.tools.delete(tenant, "tool_same"),
        lambda: gateway.threads.modify(tenant, "thread_same", title="x", assistant_id=None),
        lambda: gateway.aliases.number(tenant, "thread", "thread_another"),
        lambda: gateway.runs.answer(tenant, "thread_same", "run_same", [("call_same", "x")]),
        lambda: gateway.runs.answer(tenant, "thread_same", "run_same", [("call_open", "x")]),
        lambda: gateway.users.delete(tenant, "user_same"),
        lambda: gateway.assistants.delete(tenant, "asst_same"),
        lambda: gateway.threads.delete(tenant, "thread_same"),
    ]
    for doing in doings:
        await doing()
        after = await one.rows()
        assert after != mine, "each of them does something"
        mine = after
        assert await other.rows() == before


async def test_what_only_the_other_has_is_not_there(world: World, new_world: Callable[[], Awaitable[World]]) -> None:
    rich = People(world)
    await rich.settle()
    poor = await new_world()
    tenant, gateway = poor.tenant, poor.gateway
    await gateway.users.create(tenant, NewUser(id="user_poor"))
    await gateway.threads.create(tenant, NewThread(id="thread_poor"))
    sent = NewMessage(id=new_id("message"), role="user", content=text("x"), sender_id="user_same")
    draft = NewRun(id=new_id("run"), assistant_id=poor.assistant_id)
    with_people = NewThread(id=new_id("thread"), participants=["user_same"])
    before = await rich.rows()
    for missing in (
        gateway.users.get(tenant, "user_same"),
        gateway.users.modify(tenant, "user_same", name="x"),
        gateway.users.delete(tenant, "user_same"),
        gateway.users.threads_of(tenant, "user_same"),
        gateway.users.assistants_of(tenant, "user_same"),
        gateway.users.list(tenant, PageRequest(after="user_same")),
        gateway.users.participants(tenant, "thread_same"),
        gateway.users.add_participant(tenant, "thread_same", "user_poor"),
        gateway.users.add_participant(tenant, "thread_poor", "user_same"),
        gateway.users.remove_participant(tenant, "thread_same", "user_same"),
        gateway.users.attach_assistant(tenant, "user_poor", "asst_same"),
        gateway.users.attach_assistant(tenant, "user_same", poor.assistant_id),
        gateway.users.detach_assistant(tenant, "user_same", "asst_same"),
        gateway.tools.get(tenant, "tool_same"),
        gateway.tools.modify(tenant, "tool_same", name="x"),
        gateway.tools.delete(tenant, "tool_same"),
        gateway.tools.list(tenant, PageRequest(after="tool_same")),
        gateway.tools.attach(tenant, poor.assistant_id, "tool_same"),
        gateway.tools.detach(tenant, "asst_same", "tool_same"),
        gateway.tools.of_assistant(tenant, "asst_same"),
        gateway.threads.create(tenant, with_people),
        gateway.threads.create(tenant, NewThread(id=new_id("thread"), assistant_id="asst_same")),
        gateway.threads.create(tenant, NewThread(id=new_id("thread"), messages=[sent])),
        gateway.threads.modify(tenant, "thread_poor", assistant_id="asst_same"),
        gateway.messages.create(tenant, "thread_poor", sent),
        gateway.runs.start(tenant, "thread_poor", draft, [sent]),
        gateway.runs.start_on_new_thread(tenant, with_people, draft),
        gateway.conversations.list(tenant, "thread_same", PAGE),
        gateway.conversations.list(tenant, "thread_poor", PageRequest(after="msg_tool")),
        gateway.conversations.get(tenant, "msg_tool"),
        gateway.conversations.get(tenant, "call_answered"),
        gateway.runs.find(tenant, "run_same"),
        gateway.runs.open_calls(tenant, "thread_same", "run_same"),
        gateway.runs.tool_calls(tenant, "run_same"),
        gateway.runs.find_call(tenant, "call_same"),
        gateway.runs.answer(tenant, "thread_same", "run_same", [("call_same", "x")]),
    ):
        with pytest.raises(NotFound):
            await missing
    number = await world.gateway.aliases.number(rich.tenant, "thread", "thread_same")
    assert await gateway.aliases.id_of(tenant, "thread", number) != "thread_same"
    assert await rich.rows() == before
