"""Users: who takes part in threads, who sent what, which assistants they have, and what is left when they go."""

import asyncio
from dataclasses import replace

import pytest
from engine_world import World, new_id, text, user
from run_engine.domain.drafts import NewAssistant, NewMessage, NewRun, NewThread, NewUser, PageRequest
from run_engine.domain.objects import Thread, User
from run_engine.errors import NotFound, TooMuchMetadata

EVERYTHING = PageRequest(limit=100, order="asc")


async def made_user(world: World, name: str | None = "Ada") -> User:
    return await world.gateway.users.create(world.tenant, NewUser(id=new_id("user"), name=name))


async def thread_of(world: World, *people: User) -> Thread:
    draft = NewThread(id=new_id("thread"), participants=[person.id for person in people])
    return await world.gateway.threads.create(world.tenant, draft)


def from_(person: User, value: str = "hello") -> NewMessage:
    return replace(user(value), sender_id=person.id)


async def test_a_user_is_stored_read_changed_listed_and_deleted(world: World) -> None:
    users = world.gateway.users
    ada = await users.create(world.tenant, NewUser(id=new_id("user"), name="Ada", metadata={"a": "1", "b": "2"}))
    assert (ada.name, ada.metadata) == ("Ada", {"a": "1", "b": "2"})
    assert await users.get(world.tenant, ada.id) == ada
    nameless = await users.create(world.tenant, NewUser(id=new_id("user")))
    assert nameless.name is None
    changed = await users.modify(world.tenant, ada.id, metadata={"a": "", "c": "3"})
    assert changed == replace(ada, metadata={"b": "2", "c": "3"})
    changed = await users.modify(world.tenant, ada.id, name=None)
    assert changed == replace(ada, name=None, metadata={"b": "2", "c": "3"})
    with pytest.raises(TooMuchMetadata):
        await users.modify(world.tenant, ada.id, metadata={f"k{i}": "x" for i in range(16)})
    listed = await users.list(world.tenant, EVERYTHING)
    assert list(listed.items) == [changed, nameless]
    after = await users.list(world.tenant, PageRequest(limit=1, order="asc", after=ada.id))
    assert (list(after.items), after.has_more) == ([nameless], False)
    await users.delete(world.tenant, ada.id)
    assert list((await users.list(world.tenant, EVERYTHING)).items) == [nameless]


async def test_ensuring_a_user_keeps_the_one_that_is_there(world: World) -> None:
    users, user_id = world.gateway.users, "user_of_another_system"
    first = await users.ensure(world.tenant, NewUser(id=user_id, name="Ada"))
    assert (first.id, first.name) == (user_id, "Ada")
    drafts = [NewUser(id=user_id, name=f"other {i}") for i in range(5)]
    assert await asyncio.gather(*(users.ensure(world.tenant, draft) for draft in drafts)) == [first] * 5


async def test_users_take_part_in_threads_in_the_order_of_their_coming(world: World) -> None:
    users = world.gateway.users
    ada, bob, eve = [await made_user(world, name) for name in ("Ada", "Bob", "Eve")]
    thread = await thread_of(world, bob, ada, bob)
    assert await users.participants(world.tenant, thread.id) == [bob, ada]
    await users.add_participant(world.tenant, thread.id, eve.id)
    await users.add_participant(world.tenant, thread.id, bob.id)
    assert await users.participants(world.tenant, thread.id) == [bob, ada, eve]
    await users.remove_participant(world.tenant, thread.id, ada.id)
    await users.remove_participant(world.tenant, thread.id, ada.id)
    assert await users.participants(world.tenant, thread.id) == [bob, eve]
    assert await users.threads_of(world.tenant, ada.id) == []


async def test_the_newest_thread_of_a_user_is_the_last(world: World) -> None:
    ada, bob = await made_user(world), await made_user(world)
    old, new = await thread_of(world), await thread_of(world)
    for thread in (new, old):
        await world.gateway.users.add_participant(world.tenant, thread.id, ada.id)
    await thread_of(world, bob)
    assert await world.gateway.users.threads_of(world.tenant, ada.id) == [old.id, new.id]


async def test_a_run_can_be_started_on_a_new_thread_of_several_people(world: World) -> None:
    ada, bob = await made_user(world), await made_user(world)
    thread = NewThread(
        id=new_id("thread"),
        title="Dates",
        assistant_id=world.assistant_id,
        participants=[ada.id, bob.id],
        messages=[from_(bob)],
    )
    run = await world.gateway.runs.start_on_new_thread(
        world.tenant, thread, NewRun(id=new_id("run"), assistant_id=world.assistant_id)
    )
    stored = await world.gateway.threads.get(world.tenant, run.thread_id)
    assert (stored.title, stored.assistant_id) == ("Dates", world.assistant_id)
    assert await world.gateway.users.participants(world.tenant, run.thread_id) == [ada, bob]
    said = await world.gateway.messages.list(world.tenant, run.thread_id, EVERYTHING)
    assert [message.sender_id for message in said.items] == [bob.id]


async def test_the_sender_of_a_message_is_in_its_event(world: World) -> None:
    ada = await made_user(world)
    thread = await thread_of(world, ada)
    said = await world.gateway.messages.create(world.tenant, thread.id, from_(ada))
    await world.gateway.messages.create(world.tenant, thread.id, user())
    assert said.sender_id == ada.id
    assert await world.outbox(thread.id) == ["message.created", "message.created"]
    rows = await world.gateway.table.unpublished(
        [row["id"] for row in await world.sql("SELECT id FROM outbox WHERE thread_id = $1 ORDER BY id", thread.id)]
    )
    assert [row.data["message"]["sender_id"] for row in rows] == [ada.id, None]


NOBODY = "user_nobody"


@pytest.mark.parametrize("where", ["create", "start", "create_thread", "start_on_new_thread"])
async def test_nobody_sends_nothing(world: World, where: str) -> None:
    ada = await made_user(world)
    thread = await thread_of(world)
    messages = [from_(ada), replace(user(), sender_id=NOBODY)]
    draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
    new = NewThread(id=new_id("thread"), messages=messages)
    attempts = {
        "create": lambda: world.gateway.messages.create(world.tenant, thread.id, messages[1]),
        "start": lambda: world.gateway.runs.start(world.tenant, thread.id, draft, messages),
        "create_thread": lambda: world.gateway.threads.create(world.tenant, new),
        "start_on_new_thread": lambda: world.gateway.runs.start_on_new_thread(world.tenant, new, draft),
    }
    with pytest.raises(NotFound) as missing:
        await attempts[where]()
    assert (missing.value.kind, missing.value.object_id) == ("user", NOBODY)
    left = await world.sql("SELECT id FROM threads WHERE tenant_id = $1", world.tenant)
    assert [row["id"] for row in left] == [thread.id]
    for table in ("messages", "runs", "outbox"):
        assert await world.sql(f"SELECT FROM {table} WHERE tenant_id = $1", world.tenant) == []


@pytest.mark.parametrize("with_run", [False, True])
@pytest.mark.parametrize(
    ("fields", "kind", "name"),
    [({"participants": [NOBODY]}, "user", NOBODY), ({"assistant_id": "asst_none"}, "assistant", "asst_none")],
)
async def test_a_thread_is_not_made_of_what_is_not_there(
    world: World, fields: dict[str, object], kind: str, name: str, *, with_run: bool
) -> None:
    new = NewThread(id=new_id("thread"), messages=[user()], **fields)  # type: ignore[arg-type]
    draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
    with pytest.raises(NotFound) as missing:
        if with_run:
            await world.gateway.runs.start_on_new_thread(world.tenant, new, draft)
        else:
            await world.gateway.threads.create(world.tenant, new)
    assert (missing.value.kind, missing.value.object_id) == (kind, name)
    assert await world.sql("SELECT FROM threads WHERE tenant_id = $1", world.tenant) == []


async def test_whoever_is_deleted_takes_part_no_longer_and_has_said_what_they_said(world: World) -> None:
    ada, bob = await made_user(world), await made_user(world)
    thread = await thread_of(world, ada, bob)
    said = await world.gateway.messages.create(world.tenant, thread.id, from_(ada))
    await world.gateway.users.attach_assistant(world.tenant, ada.id, world.assistant_id)
    await world.gateway.users.delete(world.tenant, ada.id)
    assert await world.gateway.users.participants(world.tenant, thread.id) == [bob]
    assert await world.gateway.messages.get(world.tenant, thread.id, said.id) == said
    assert await world.sql("SELECT FROM user_assistants WHERE user_id = $1", ada.id) == []
    assert (await world.gateway.assistants.get(world.tenant, world.assistant_id)).id == world.assistant_id
    for missing in (
        world.gateway.users.get(world.tenant, ada.id),
        world.gateway.users.modify(world.tenant, ada.id, name="x"),
        world.gateway.users.delete(world.tenant, ada.id),
        world.gateway.users.threads_of(world.tenant, ada.id),
        world.gateway.users.assistants_of(world.tenant, ada.id),
        world.gateway.users.add_participant(world.tenant, thread.id, ada.id),
        world.gateway.users.remove_participant(world.tenant, thread.id, ada.id),
        world.gateway.users.attach_assistant(world.tenant, ada.id, world.assistant_id),
        world.gateway.users.detach_assistant(world.tenant, ada.id, world.assistant_id),
        world.gateway.users.list(world.tenant, PageRequest(after=ada.id)),
    ):
        with pytest.raises(NotFound) as found:
            await missing
        assert (found.value.kind, found.value.object_id) == ("user", ada.id)


async def test_a_thread_that_is_deleted_has_no_participants_left_and_its_people_stay(world: World) -> None:
    ada = await made_user(world)
    thread = await thread_of(world, ada)
    await world.gateway.threads.delete(world.tenant, thread.id)
    assert await world.sql("SELECT FROM thread_participants WHERE thread_id = $1", thread.id) == []
    assert await world.gateway.users.threads_of(world.tenant, ada.id) == []
    for missing in (
        world.gateway.users.participants(world.tenant, thread.id),
        world.gateway.users.add_participant(world.tenant, thread.id, ada.id),
        world.gateway.users.remove_participant(world.tenant, thread.id, ada.id),
    ):
        with pytest.raises(NotFound) as found:
            await missing
        assert (found.value.kind, found.value.object_id) == ("thread", thread.id)


async def test_a_user_has_assistants_until_they_are_deleted(world: World) -> None:
    users, ada = world.gateway.users, await made_user(world)
    other = await world.gateway.assistants.create(world.tenant, NewAssistant(id=new_id("assistant"), model="demo"))
    for assistant_id in (other.id, world.assistant_id, other.id):
        await users.attach_assistant(world.tenant, ada.id, assistant_id)
    first = await world.gateway.assistants.get(world.tenant, world.assistant_id)
    assert await users.assistants_of(world.tenant, ada.id) == [other, first]
    await world.gateway.assistants.delete(world.tenant, other.id)
    assert await users.assistants_of(world.tenant, ada.id) == [first]
    for _ in range(2):
        await users.detach_assistant(world.tenant, ada.id, world.assistant_id)
    assert await users.assistants_of(world.tenant, ada.id) == []
    for missing in (
        users.attach_assistant(world.tenant, ada.id, other.id),
        users.detach_assistant(world.tenant, ada.id, other.id),
    ):
        with pytest.raises(NotFound) as found:
            await missing
        assert (found.value.kind, found.value.object_id) == ("assistant", other.id)


async def test_many_may_tie_the_same_two_at_once(world: World) -> None:
    users, ada = world.gateway.users, await made_user(world)
    thread = await thread_of(world)
    await asyncio.gather(*(users.attach_assistant(world.tenant, ada.id, world.assistant_id) for _ in range(8)))
    await asyncio.gather(*(users.add_participant(world.tenant, thread.id, ada.id) for _ in range(8)))
    assert [each.id for each in await users.assistants_of(world.tenant, ada.id)] == [world.assistant_id]
    assert await users.participants(world.tenant, thread.id) == [ada]


async def test_who_is_tied_while_being_deleted_is_tied_or_missing(world: World) -> None:
    users = world.gateway.users
    thread = await thread_of(world)
    for _ in range(15):
        ada = await made_user(world)
        outcomes = await asyncio.gather(
            users.add_participant(world.tenant, thread.id, ada.id),
            users.delete(world.tenant, ada.id),
            users.attach_assistant(world.tenant, ada.id, world.assistant_id),
            world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread"), participants=[ada.id])),
            return_exceptions=True,
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert all(isinstance(failure, NotFound) and failure.kind == "user" for failure in failures), failures
    assert await users.participants(world.tenant, thread.id) == []


async def test_a_thread_keeps_its_title_and_the_assistant_that_it_names(world: World) -> None:
    threads = world.gateway.threads
    other = await world.gateway.assistants.create(world.tenant, NewAssistant(id=new_id("assistant"), model="demo"))
    thread = await threads.create(
        world.tenant, NewThread(id=new_id("thread"), title="Dates", assistant_id=other.id, messages=[user()])
    )
    assert (thread.title, thread.assistant_id) == ("Dates", other.id)
    renamed = await threads.modify(world.tenant, thread.id, title="Exams")
    assert renamed == replace(thread, title="Exams")
    moved = await threads.modify(world.tenant, thread.id, assistant_id=world.assistant_id, metadata={"a": "b"})
    assert moved == replace(renamed, assistant_id=world.assistant_id, metadata={"a": "b"})
    with pytest.raises(NotFound) as missing:
        await threads.modify(world.tenant, thread.id, assistant_id="asst_none")
    assert missing.value.kind == "assistant"
    assert (await threads.modify(world.tenant, thread.id, assistant_id=None, title=None)).assistant_id is None
    await threads.modify(world.tenant, thread.id, assistant_id=other.id)
    await world.gateway.assistants.delete(world.tenant, other.id)
    # The name stays, and whoever needs the assistant is told that it is gone.
    assert (await threads.get(world.tenant, thread.id)).assistant_id == other.id
    with pytest.raises(NotFound) as gone:
        await world.gateway.runs.start(world.tenant, thread.id, NewRun(id=new_id("run"), assistant_id=other.id))
    assert (gone.value.kind, gone.value.object_id) == ("assistant", other.id)


async def test_text_stays_what_it_is_whoever_sends_it(world: World) -> None:
    ada = await made_user(world, "A\x00da")
    assert ada.name == "A\ufffdda"
    thread = await thread_of(world, ada)
    said = await world.gateway.messages.create(world.tenant, thread.id, from_(ada, "grüß"))
    assert said.content == text("grüß")
