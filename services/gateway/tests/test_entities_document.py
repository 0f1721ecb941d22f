"""The calls of the document of entities_api, each on the exact shapes that it shows."""

import re
from typing import Any

from engine_world import answer, call
from entities_seed import (
    ID,
    INTERRUPTED_ANSWER,
    THREAD,
    THREAD_IDS,
    TOOL_MESSAGE,
    USER_MESSAGE,
    shape,
)


async def test_create_a_thread_with_participants(entities: Any) -> None:
    made = await entities.post("/users", {"name": "test_user"})
    assert re.fullmatch(ID, made["id"])
    assert (list(made), made["name"]) == (["id", "name"], "test_user")
    thread = await entities.post("/threads", {"participant_ids": [made["id"]], "meta_data": {"topic": ""}})
    assert thread.pop("participants") == [made]
    assert shape(thread) == shape(THREAD)
    assert (thread["object"], thread["meta_data"], thread["tool_resources"]) == ("thread", {"topic": ""}, {})


async def test_list_the_threads_of_a_user(entities: Any) -> None:
    ada, bob = await entities.user("ada"), await entities.user("bob")
    first, both, last = await entities.thread(ada), await entities.thread(bob, ada), await entities.thread(ada)
    found = await entities.get(f"/users/{ada}/threads")
    assert found == {"thread_ids": [first, both, last]}
    assert shape(found["thread_ids"][:1]) == shape(THREAD_IDS)
    assert await entities.get(f"/users/{bob}/threads") == {"thread_ids": [both]}


async def test_list_messages_of_people_assistants_and_tools(entities: Any) -> None:
    """A question, a call of the model with its answer, and the answer of the assistant, as the document lists them."""
    calls = [call()]
    shown, run = await entities.parked(*calls)
    thread_id = shown["thread_id"]
    await entities.worker.runs.answer(entities.tenant, run.thread_id, run.id, [(calls[0].id, '{"result": 1}')])
    await entities.finished(run, answer("Hello! It's nice to meet you."))

    question, said, told = await entities.get(f"/threads/{thread_id}/messages")
    assert shape(question) == shape(USER_MESSAGE)
    assert question["content"] == "hello"
    assert shape(said) == shape({**TOOL_MESSAGE, "run_id": shown["id"]})
    assert (said["content"], said["role"], said["sender_id"]) == ('{"result": 1}', "tool", "tool")
    # The old rows of the document have a placeholder for the assistant, and no run; here are the real ones.
    assert shape(told) == shape({**INTERRUPTED_ANSWER, "assistant_id": shown["assistant_id"], "run_id": shown["id"]})
    assert (told["content"], told["sender_id"]) == ("Hello! It's nice to meet you.", "assistant")
    assert (told["assistant_id"], told["run_id"]) == (shown["assistant_id"], shown["id"])
    for each in (question, said, told):
        assert await entities.get(f"/messages/{each['id']}") == each


async def test_delete_a_thread(entities: Any) -> None:
    user = await entities.user()
    thread = await entities.thread(user)
    said = await entities.say(thread, user, "hello")
    await entities.delete(f"/threads/{thread}")
    assert await entities.refused("GET", f"/threads/{thread}", 404) == "Thread not found"
    assert await entities.refused("GET", f"/threads/{thread}/messages", 404) == "Thread not found"
    assert await entities.refused("GET", f"/messages/{said['id']}", 404) == "Message not found"
    assert await entities.refused("DELETE", f"/threads/{thread}", 404) == "Thread not found"
    assert await entities.get(f"/users/{user}/threads") == {"thread_ids": []}
