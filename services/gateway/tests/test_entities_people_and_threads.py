"""`/entities`: users, who takes part in threads, and which assistants users have."""

import re
from typing import Any

import pytest
from conformance import api_objects
from entities_seed import ID


async def test_a_user_from_beginning_to_end(entities: Any) -> None:
    made = await entities.post("/users", {"name": "ada"})
    assert await entities.get(f"/users/{made['id']}") == made == {"id": made["id"], "name": "ada"}
    # The original's client sends the whole user back.
    changed = await entities.put(f"/users/{made['id']}", {"id": made["id"], "name": "grüße 👋"})
    assert changed == {"id": made["id"], "name": "grüße 👋"}
    assert await entities.put(f"/users/{made['id']}", {"name": None}) == changed
    await entities.delete(f"/users/{made['id']}")
    for method in ("GET", "DELETE"):
        assert await entities.refused(method, f"/users/{made['id']}", 404) == "User not found"
    assert await entities.refused("PUT", f"/users/{made['id']}", 404, json={"name": "b"}) == "User not found"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"unknown": 1}'])
async def test_a_user_without_a_name(entities: Any, body: bytes) -> None:
    response = await entities.http.post("/users", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["name"]) == (200, "Anonymous User")


async def test_a_user_whose_name_is_null(entities: Any) -> None:
    assert (await entities.post("/users", {"name": None}))["name"] == "Anonymous User"


async def test_a_thread_shows_who_takes_part_in_the_order_of_their_coming(entities: Any) -> None:
    ada, bob = await entities.user("ada"), await entities.user("bob")
    made = await entities.post("/threads", {"participant_ids": [bob, ada, bob]})
    assert made["participants"] == [{"id": bob, "name": "bob"}, {"id": ada, "name": "ada"}]
    assert made["meta_data"] == {}
    assert await entities.get(f"/threads/{made['id']}") == made
    await entities.delete(f"/users/{bob}")
    assert (await entities.get(f"/threads/{made['id']}"))["participants"] == [{"id": ada, "name": "ada"}]


async def test_a_thread_without_participants(entities: Any) -> None:
    assert (await entities.post("/threads", {"participant_ids": [], "meta_data": None}))["participants"] == []


async def test_meta_data_keeps_any_json_and_other_dialects_see_texts(entities: Any, caller: Any) -> None:
    given = {"topic": "", "count": 3, "tags": ["a", {"b": None}], "json:": "json:3", "on": True}
    made = await entities.post("/threads", {"participant_ids": [], "meta_data": given})
    assert made["meta_data"] == given
    assert (await entities.get(f"/threads/{made['id']}"))["meta_data"] == given
    (seen,) = (await caller.get("/threads"))["data"]
    assert seen["metadata"] == {
        "topic": "",
        "count": "json:3",
        "tags": 'json:["a",{"b":null}]',
        "json:": 'json:"json:3"',
        "on": "json:true",
    }


async def test_metadata_of_other_dialects_is_shown_as_it_is(entities: Any, caller: Any) -> None:
    metadata = {"a": "json:not json", "b": "json:" + "[" * 250 + "]" * 250, "c": "3"}
    await caller.post("/threads", {"metadata": metadata})
    (made,) = [each["id"] for each in (await caller.get("/threads"))["data"]]
    # The id as /v1 shows it is taken too.
    shown = await entities.get(f"/threads/{made}")
    assert shown["meta_data"] == metadata
    assert re.fullmatch(ID, shown["id"])
    assert await entities.get(f"/threads/{shown['id']}") == shown


async def test_a_user_has_assistants(entities: Any) -> None:
    user = await entities.user()
    first = await entities.post("/assistants", {"model": "demo", "name": "Nexa", "user_id": user})
    assert first["user_id"] == user
    second = await entities.assistant(name="Flighty")
    for _ in range(2):
        reply = await entities.post(f"/users/{user}/assistants/{second}")
        assert reply == {"message": "Assistant associated with user successfully"}
    found = await entities.get(f"/users/{user}/assistants")
    assert found[0] == first
    assert [each["name"] for each in found] == ["Nexa", "Flighty"]
    assert [each["user_id"] for each in found] == [user, user]
    for _ in range(2):
        await entities.delete(f"/users/{user}/assistants/{first['id']}")
    assert [each["id"] for each in await entities.get(f"/users/{user}/assistants")] == [second]
    # Several users may have it, so none is named where nobody asks for one's.
    assert (await entities.get(f"/assistants/{second}"))["user_id"] is None


async def test_ties_to_nobody(entities: Any) -> None:
    user, assistant = await entities.user(), await entities.assistant()
    nobody, nothing = "user_" + "0" * 22, "asst_" + "0" * 22
    for method in ("POST", "DELETE"):
        assert await entities.refused(method, f"/users/{nobody}/assistants/{assistant}", 404) == "User not found"
        assert await entities.refused(method, f"/users/{user}/assistants/{nothing}", 404) == "Assistant not found"
    for path in ("threads", "assistants"):
        assert await entities.refused("GET", f"/users/{nobody}/{path}", 404) == "User not found"
    body = {"model": "demo", "user_id": nobody}
    assert await entities.refused("POST", "/assistants", 404, json=body) == "User not found"
    body = {"participant_ids": [user, nobody]}
    assert await entities.refused("POST", "/threads", 400, json=body) == "Invalid user IDs"
    body = {"participant_ids": [user, "no id at all"]}
    assert await entities.refused("POST", "/threads", 400, json=body) == "Invalid user IDs"


async def test_a_user_of_many_threads(entities: Any) -> None:
    user = await entities.user()
    made = [await entities.thread(user) for _ in range(30)]
    assert (await entities.get(f"/users/{user}/threads"))["thread_ids"] == made


async def test_imported_ids_have_a_rendering_that_leads_back(entities: Any, caller: Any) -> None:
    objects = [api_objects.thread(), api_objects.message(run_id=None)]
    response = await entities.http.post("http://gateway/v1/import", json={"objects": objects})
    assert response.status_code == 200, response.text
    shown = await entities.get("/threads/thread_abc123")
    assert re.fullmatch(ID, shown["id"])
    assert await entities.get(f"/threads/{shown['id']}") == shown
    (said,) = await entities.get(f"/threads/{shown['id']}/messages")
    assert (said["content"], said["thread_id"]) == ("How does AI work?\n\nI will not say.", shown["id"])
    assert re.fullmatch(ID, said["id"])
    assert re.fullmatch(ID, said["assistant_id"])
    assert await entities.get(f"/messages/{said['id']}") == said == await entities.get("/messages/msg_abc123")
