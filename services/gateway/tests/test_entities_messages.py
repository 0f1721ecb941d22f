"""`/entities`: messages of people, assistants and tools, one by one and as lists."""

from typing import Any

import pytest
from engine_world import answer, call
from gateway.entrypoints.http.entities.operations.formatted_messages import SYSTEM_MESSAGE
from run_engine.domain.drafts import NewMessage, PageRequest


@pytest.fixture
async def place(entities: Any) -> tuple[str, str]:
    """A user, and a thread of theirs."""
    user = await entities.user()
    return user, await entities.thread(user)


async def test_a_message_of_a_user(entities: Any, place: tuple[str, str]) -> None:
    user, thread = place
    body = {"content": "grüße 👋", "thread_id": thread, "sender_id": user, "role": "USER", "meta_data": {"n": 1}}
    made = await entities.post("/messages", body)
    assert made == {
        "id": made["id"],
        "assistant_id": None,
        "attachments": [],
        "completed_at": None,
        "content": "grüße 👋",
        "created_at": made["created_at"],
        "incomplete_at": None,
        "incomplete_details": None,
        "meta_data": {"n": 1},
        "object": "message",
        "role": "user",
        "run_id": None,
        "status": None,
        "thread_id": thread,
        "sender_id": user,
    }
    assert await entities.get(f"/messages/{made['id']}") == made


async def test_what_an_assistant_has_said_elsewhere(entities: Any, place: tuple[str, str]) -> None:
    user, thread = place
    body = {"content": "Hello!", "thread_id": thread, "sender_id": "assistant", "role": "assistant", "meta_data": {}}
    saved = await entities.post("/messages/assistant", body)
    assert (saved["role"], saved["sender_id"], saved["completed_at"]) == ("assistant", "assistant", saved["created_at"])
    assert saved["assistant_id"] is None
    posted = await entities.post("/messages", body)
    of_a_user = await entities.post("/messages", {**body, "sender_id": user})
    assert (posted["sender_id"], of_a_user["sender_id"]) == ("assistant", user)
    assert await entities.get(f"/threads/{thread}/messages") == [saved, posted, of_a_user]


async def test_what_a_tool_has_said(entities: Any, place: tuple[str, str], caller: Any) -> None:
    user, thread = place
    question = await entities.say(thread, user, "prove that it works")
    told = await entities.post(f"/messages/{question['id']}/tool", {"content": '{"result": 1}'})
    assert (told["role"], told["sender_id"], told["thread_id"]) == ("tool", "tool", thread)
    assert told["completed_at"] == told["created_at"]
    also = await entities.post("/messages", {"content": "2", "thread_id": thread, "sender_id": "tool", "role": "tool"})
    assert also["role"] == "tool"
    assert await entities.get(f"/threads/{thread}/messages") == [question, told, also]
    assert await entities.get(f"/messages/{told['id']}") == told
    # What follows a tool's message stands in the same thread.
    again = await entities.post(f"/messages/{told['id']}/tool", {"content": "3"})
    assert again["thread_id"] == thread
    # OpenAI never had any.
    (seen,) = [each["id"] for each in (await caller.get("/threads"))["data"]]
    assert [each["role"] for each in (await caller.get(f"/threads/{seen}/messages"))["data"]] == ["user"]


async def test_the_answer_to_a_call_is_a_message_that_others_follow(entities: Any) -> None:
    calls = [call(), call()]
    shown, run = await entities.parked(*calls)
    outputs = [(each.id, f'{{"n": {number}}}') for number, each in enumerate(calls)]
    await entities.worker.runs.answer(entities.tenant, run.thread_id, run.id, outputs)
    said = (await entities.get(f"/threads/{shown['thread_id']}/messages"))[1:]
    assert [each["content"] for each in said] == ['{"n": 0}', '{"n": 1}']
    assert {each["run_id"] for each in said} == {shown["id"]}
    assert len({each["id"] for each in said}) == 2
    detail = await entities.refused("POST", f"/messages/{said[0]['id']}/tool", 409, json={"content": "while it runs"})
    assert detail == "The thread has a run that has not ended. Wait for it, answer it, or cancel it"
    await entities.finished(run)
    assert (await entities.post(f"/messages/{said[0]['id']}/tool", {"content": "now"}))["thread_id"] == shown[
        "thread_id"
    ]


async def test_lists_begin_at_either_end(entities: Any, place: tuple[str, str]) -> None:
    user, thread = place
    made = [await entities.say(thread, user, str(number)) for number in range(25)]
    path = f"/threads/{thread}/messages"
    assert await entities.get(path) == made[:20]
    assert await entities.get(path, order="desc", limit=3) == [made[24], made[23], made[22]]
    assert await entities.get(path, order="asc", limit=1000) == made
    assert await entities.get(path, unknown="1", limit="+2") == made[:2]


async def test_messages_that_came_another_way(entities: Any, place: tuple[str, str], caller: Any) -> None:
    _, thread = place
    (seen,) = [each["id"] for each in (await caller.get("/threads"))["data"]]
    form = {"data": {"purpose": "vision"}, "files": {"file": ("a.png", b"an image")}}
    image = (await caller.http.post("/files", **form)).json()["id"]
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_file", "image_file": {"file_id": image}},
        {"type": "text", "text": "here"},
    ]
    attachment = {"file_id": image, "tools": [{"type": "file_search"}]}
    await caller.post(f"/threads/{seen}/messages", {"role": "user", "content": parts, "attachments": [attachment]})
    (said,) = await entities.get(f"/threads/{thread}/messages")
    assert (said["content"], said["sender_id"], said["attachments"]) == ("look\n\nhere", "user", [attachment])


async def test_a_sender_who_is_deleted_stays_the_sender(entities: Any, place: tuple[str, str]) -> None:
    user, thread = place
    said = await entities.say(thread, user, "hello")
    await entities.delete(f"/users/{user}")
    assert await entities.get(f"/messages/{said['id']}") == said


async def test_a_thread_as_chat_completions_take_it(entities: Any) -> None:
    shown, run = await entities.started()
    await entities.finished(run, answer("Hello there!"))
    path = f"/threads/{shown['thread_id']}/formatted_messages"
    conversation = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "Hello there!"}]
    assert await entities.get(path) == [{"role": "system", "content": SYSTEM_MESSAGE}, *conversation]
    await entities.worker.threads.modify(entities.tenant, run.thread_id, assistant_id=run.assistant_id)
    assert (await entities.get(path))[0]["content"] == SYSTEM_MESSAGE
    await entities.put(f"/assistants/{shown['assistant_id']}", {"instructions": "Be brief."})
    assert await entities.get(path) == [{"role": "system", "content": "Be brief."}, *conversation]
    await entities.worker.assistants.delete(entities.tenant, run.assistant_id)
    assert (await entities.get(path))[0]["content"] == SYSTEM_MESSAGE


async def test_references_to_nothing(entities: Any, place: tuple[str, str]) -> None:
    user, thread = place
    nothing = {"thread_id": "thread_" + "0" * 22, "sender_id": user, "content": "a"}
    assert await entities.refused("POST", "/messages", 404, json=nothing) == "Thread not found"
    assert await entities.refused("POST", "/messages/assistant", 404, json=nothing) == "Thread not found"
    nobody = {"thread_id": thread, "sender_id": "user_" + "0" * 22, "content": "a"}
    assert await entities.refused("POST", "/messages", 404, json=nobody) == "Sender not found"
    # Who is no user can only speak for itself.
    for sender, role in (("assistant", "user"), ("tool", "assistant"), ("user", "user")):
        body = {"thread_id": thread, "sender_id": sender, "role": role, "content": "a"}
        assert await entities.refused("POST", "/messages", 404, json=body) == "Sender not found"
    unknown = "message_" + "0" * 22
    assert await entities.refused("GET", f"/messages/{unknown}", 404) == "Message not found"
    path = f"/messages/{unknown}/tool"
    assert await entities.refused("POST", path, 404, json={"content": "a"}) == "Existing message not found"


async def test_a_busy_thread_takes_no_message(entities: Any) -> None:
    shown, run = await entities.started()
    user = await entities.user()
    body = {"thread_id": shown["thread_id"], "sender_id": user, "content": "too early"}
    busy = "The thread has a run that has not ended. Wait for it, answer it, or cancel it"
    assert await entities.refused("POST", "/messages", 409, json=body) == busy
    assert await entities.refused("POST", "/messages/assistant", 409, json=body) == busy
    body = {"assistant_id": shown["assistant_id"], "thread_id": shown["thread_id"]}
    assert await entities.refused("POST", "/runs", 409, json=body) == busy
    await entities.finished(run)


async def test_an_answer_that_is_being_written_is_not_completed(entities: Any) -> None:
    shown, run = await entities.started()
    ending = answer("all of it")
    await entities.worker.driving.open_step(await entities.claimed(run), ending.step_id, ending.message_id)
    _, begun = await entities.get(f"/threads/{shown['thread_id']}/messages")
    assert (begun["content"], begun["completed_at"], begun["status"]) == ("", None, None)


async def test_a_message_with_calls_that_a_client_wrote(entities: Any, place: tuple[str, str]) -> None:
    """Another dialect may keep what a model has asked for; here such a message has no word."""
    _, thread = place
    made = await entities.post("/messages/assistant", {"thread_id": thread, "content": "x"})
    stored = await entities.worker.threads.list(entities.tenant, PageRequest())
    calls = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    draft = NewMessage(id="msg_with_calls", role="assistant", content=[], tool_calls=calls)
    await entities.worker.messages.create(entities.tenant, stored.items[0].id, draft)
    found = await entities.get(f"/threads/{thread}/messages")
    assert [each["content"] for each in found] == ["x", ""]
    assert found[0] == made
