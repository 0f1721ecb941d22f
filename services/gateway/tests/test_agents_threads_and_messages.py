"""`/agents/v1`: threads and messages, their shapes and ids, and how requests are refused."""

import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from run_engine.domain import ids, renderings
from run_engine.store.tenants import Tenants
from starlette.types import ASGIApp

UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def number(kind: str, object_id: str) -> str:
    """The id of an object of `/v1` on this wire."""
    found = ids.read(kind, object_id)
    assert found is not None
    return str(found)


@pytest_asyncio.fixture
async def agents(caller: Any, app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway/agents/v1", headers={"api-key": caller.key}
    ) as client:
        yield client


async def new_thread(agents: httpx.AsyncClient, assistant_id: str, **fields: Any) -> Any:
    reply = await agents.post("/threads", json={"assistant_id": assistant_id, **fields})
    assert reply.status_code == 200, reply.text
    return reply.json()


async def say(agents: httpx.AsyncClient, thread_id: str, content: str | None = "hi", **fields: Any) -> Any:
    reply = await agents.post(f"/threads/{thread_id}/messages", json={"content": content, **fields})
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_a_thread(agents: httpx.AsyncClient, caller: Any) -> None:
    assistant_id, user_id = await caller.assistant(), str(uuid.uuid4())
    asked = {"assistant_id": number("assistant", assistant_id), "title": "Kündigung", "user_id": user_id}
    reply = await agents.post("/threads", json=asked)
    assert reply.status_code == 200
    made = reply.json()
    assert list(made) == ["id", "assistant_id", "tenant_id", "user_id", "title", "created_at", "last_updated_at"]
    assert made | asked == made
    assert UUID.fullmatch(made["id"])
    assert UUID.fullmatch(made["tenant_id"])
    assert caller.tenant not in reply.text
    assert ISO.fullmatch(made["created_at"])
    assert made["last_updated_at"] == made["created_at"]
    assert (await agents.get(f"/threads/{made['id']}")).json() == made
    thread_id = ids.render("thread", uuid.UUID(made["id"]))
    assert (await caller.get(f"/threads/{thread_id}"))["id"] == thread_id, "the same thread in /v1"
    said = await say(agents, made["id"])
    assert (await agents.get(f"/threads/{made['id']}")).json()["last_updated_at"] == said["created_at"]


async def test_ids_as_v1_shows_them_are_taken_too_and_shown_as_uuids(agents: httpx.AsyncClient, caller: Any) -> None:
    assistant_id = await caller.assistant()
    v1_thread = await caller.thread("hello")
    made = await new_thread(agents, assistant_id)
    assert made["assistant_id"] == number("assistant", assistant_id)
    assert (made["user_id"], made["title"]) == (None, None)
    seen = (await agents.get(f"/threads/{v1_thread}")).json()
    assert (seen["id"], seen["assistant_id"]) == (number("thread", v1_thread), None)


async def test_ids_without_a_number_of_their_own(agents: httpx.AsyncClient, caller: Any) -> None:
    assistant = {"object": "assistant", "id": "asst_moodleDemoAssistant00001", "created_at": 1, "model": "demo"}
    thread = {"object": "thread", "id": "thread_imported", "created_at": 2}
    content = [{"type": "text", "text": {"value": "hi", "annotations": []}}]
    message = {
        "object": "thread.message",
        "id": "msg_imported",
        "created_at": 3,
        "thread_id": "thread_imported",
        "role": "user",
        "content": content,
    }
    bearer, body = {"authorization": f"Bearer {caller.key}"}, {"objects": [assistant, thread, message]}
    imported = await agents.post("http://gateway/v1/import", json=body, headers=bearer)
    assert imported.status_code == 200, imported.text
    made = await new_thread(agents, "asst_moodleDemoAssistant00001")
    alias = str(renderings.alias_number(caller.tenant, "assistant", "asst_moodleDemoAssistant00001"))
    assert made["assistant_id"] == alias
    assert (await new_thread(agents, alias))["assistant_id"] == alias
    old = (await agents.get("/threads/thread_imported")).json()
    assert UUID.fullmatch(old["id"])
    (said,) = (await agents.get(f"/threads/{old['id']}/messages")).json()
    assert (said["content"], said["thread_id"]) == ("hi", old["id"])
    page = await agents.get(f"/threads/{old['id']}/messages", params={"after": said["id"]})
    assert page.json() == []


async def test_users_are_made_and_named_as_the_app_names_them(agents: httpx.AsyncClient, caller: Any) -> None:
    assistant_id = await caller.assistant()
    for user_id in (str(uuid.uuid4()), "anna@example.org", "Ümläut 7"):
        threads = [await new_thread(agents, assistant_id, user_id=user_id) for _ in range(3)]
        assert [each["user_id"] for each in threads] == [user_id] * 3
        listed = (await agents.get("/threads", params={"user_id": user_id})).json()
        assert listed == list(reversed(threads))
        page = {"user_id": user_id, "limit": 1, "order": "asc", "after": threads[0]["id"]}
        assert (await agents.get("/threads", params=page)).json() == [threads[1]]
    everything = (await agents.get("/threads", params={"limit": 100})).json()
    assert len(everything) == 9
    newer = (await agents.get("/threads", params={"limit": 2, "after": everything[3]["id"]})).json()
    assert newer == everything[4:6]
    refused = await agents.get("/threads", params={"user_id": "nobody"})
    assert (refused.status_code, refused.json()["error_code"]) == (404, "resource_not_found")
    stranger = await agents.get("/threads", params={"user_id": "anna@example.org", "after": everything[0]["id"]})
    assert (stranger.status_code, stranger.json()["error_code"]) == (404, "thread_not_found")


async def test_a_deleted_thread_is_gone(agents: httpx.AsyncClient, caller: Any) -> None:
    made = await new_thread(agents, await caller.assistant())
    deleted = await agents.delete(f"/threads/{made['id']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "content-length" not in deleted.headers
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/messages"), ("POST", "/messages"), ("POST", "/run")):
        gone = await agents.request(method, f"/threads/{made['id']}{path}", content=b'{"content": "hi"}')
        assert gone.status_code == 404
        assert gone.json() == {"error_code": "thread_not_found", "detail": "Thread not found"}


async def test_messages(agents: httpx.AsyncClient, caller: Any) -> None:
    user_id = str(uuid.uuid4())
    made = await new_thread(agents, await caller.assistant(), user_id=user_id)
    said = await say(agents, made["id"], "Welche Frist gilt?", role="user")
    assert said == {
        "id": said["id"],
        "thread_id": made["id"],
        "role": "user",
        "content": "Welche Frist gilt?",
        "created_at": said["created_at"],
        "sources": [],
        "meta_data": None,
    }
    assert UUID.fullmatch(said["id"])
    assert ISO.fullmatch(said["created_at"])
    asking = await say(agents, made["id"], None, role="assistant", tool_calls=[CALL])
    assert (asking["content"], asking["tool_calls"]) == ("", [CALL])
    told = await say(agents, made["id"], "42", role="tool", tool_call_id="call_1")
    assert (told["role"], told["tool_call_id"]) == ("tool", "call_1")
    everything = (await agents.get(f"/threads/{made['id']}/messages")).json()
    assert [each["id"] for each in everything] == [said["id"], asking["id"], told["id"]]
    assert everything[1]["meta_data"]["type"] is None, "nobody here has written it"
    newest = await agents.get(f"/threads/{made['id']}/messages", params={"order": "desc", "limit": 1})
    assert newest.json() == [told]
    thread_id = ids.render("thread", uuid.UUID(made["id"]))
    shown = (await caller.get(f"/threads/{thread_id}/messages", order="asc"))["data"]
    assert [each["role"] for each in shown] == ["user", "assistant"], "/v1 has no tools' messages"


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        (b"{", ["body", 1], "json_invalid"),
        (b"[1]", ["body"], "model_attributes_type"),
        (b'{"assistant_id": 7}', ["body", "assistant_id"], "string_type"),
        (b"{}", ["body", "assistant_id"], "missing"),
        (b'{"assistant_id": ""}', ["body", "assistant_id"], "string_too_short"),
        (b'{"assistant_id": "a", "title": "\\u0000"}', ["body", "title"], "value_error"),
        (b'{"assistant_id": "a", "user_id": "a\\nb"}', ["body", "user_id"], "string_pattern_mismatch"),
        (b'{"assistant_id": "a", "x": ' + b"[" * 200 + b"]" * 200 + b"}", ["body"], "value_error"),
    ],
)
async def test_threads_that_are_not_what_they_should_be(
    agents: httpx.AsyncClient, body: bytes, place: list[Any], kind: str
) -> None:
    reply = await agents.post("/threads", content=body)
    assert reply.status_code == 422, reply.text
    refused = reply.json()
    assert list(refused) == ["error_code", "detail"]
    assert refused["error_code"] == "validation_error"
    (found,) = refused["detail"]
    assert list(found) == ["loc", "message", "type"]
    assert (found["loc"], found["type"]) == (place, kind)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": ""},
        {"content": "hi", "role": "system"},
        {"content": "hi", "role": "tool"},
        {"content": "hi", "tool_call_id": "call_1"},
        {"content": "hi", "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": [CALL, CALL]},
        {"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"name": "no name"}}]},
        {"content": "x" * 256_001},
        {"role": "tool", "tool_call_id": "call_9", "content": "1"},
    ],
)
async def test_messages_that_are_not_what_they_should_be(
    agents: httpx.AsyncClient, caller: Any, body: dict[str, Any]
) -> None:
    made = await new_thread(agents, await caller.assistant())
    reply = await agents.post(f"/threads/{made['id']}/messages", json=body)
    assert (reply.status_code, reply.json()["error_code"]) == (422, "validation_error"), reply.text
    assert (await agents.get(f"/threads/{made['id']}/messages")).json() == []


async def test_calls_are_answered_before_anything_else_is_said(agents: httpx.AsyncClient, caller: Any) -> None:
    made = await new_thread(agents, await caller.assistant())
    await say(agents, made["id"])
    await say(agents, made["id"], None, role="assistant", tool_calls=[CALL, CALL | {"id": "call_2"}])
    await say(agents, made["id"], "1", role="tool", tool_call_id="call_2")
    for refused, word in ((("user", None), "call_1"), (("tool", "call_3"), "call_3")):
        role, call_id = refused
        body = {"content": "hi", "role": role} | ({} if call_id is None else {"tool_call_id": call_id})
        reply = await agents.post(f"/threads/{made['id']}/messages", json=body)
        assert reply.status_code == 422
        assert word in reply.json()["detail"][0]["message"]
    await say(agents, made["id"], "2", role="tool", tool_call_id="call_1")
    await say(agents, made["id"])


async def test_lists_are_held_to_their_limits(agents: httpx.AsyncClient, caller: Any) -> None:
    made = await new_thread(agents, await caller.assistant())
    for path in ("/threads", f"/threads/{made['id']}/messages"):
        for query in ({"limit": "0"}, {"limit": "101"}, {"limit": "many"}, {"order": "random"}):
            reply = await agents.get(path, params=query)
            assert (reply.status_code, reply.json()["error_code"]) == (422, "validation_error")
            assert reply.json()["detail"][0]["loc"] == ["query", next(iter(query))]
        for after in (str(uuid.uuid4()), "x y"):
            assert (await agents.get(path, params={"after": after})).status_code == 404


async def test_whoever_has_no_key_is_told_so(app: ASGIApp, caller: Any) -> None:
    key = f"sk-events-{uuid.uuid4().hex}"
    await Tenants(caller.database).add_key(f"key-{key}", caller.tenant, key, "for events", ["events"])
    for headers in ({}, {"api-key": "sk-wrong"}, {"authorization": f"Bearer {caller.key}"}, {"api-key": key}):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://gateway/agents/v1", headers=headers
        ) as stranger:
            reply = await stranger.get("/threads")
        assert reply.status_code == 401
        assert reply.json()["error_code"] == "unauthorized"
        assert not any(value.removeprefix("Bearer ") in reply.text for value in headers.values())


async def test_paths_and_methods_that_there_are_not(agents: httpx.AsyncClient) -> None:
    unknown = await agents.get("/assistants")
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "resource_not_found")
    wrong = await agents.put("/threads", json={})
    assert (wrong.status_code, wrong.json()["error_code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET, POST, HEAD"


async def test_another_tenants_things_are_nobodys(agents: httpx.AsyncClient, caller: Any, new_caller: Any) -> None:
    other = await new_caller()
    foreign_assistant, foreign_thread = await other.assistant(), await other.thread("secret")
    for assistant_id in (foreign_assistant, number("assistant", foreign_assistant), str(uuid.uuid4()), "a b"):
        reply = await agents.post("/threads", json={"assistant_id": assistant_id})
        assert reply.status_code == 403
        assert reply.json() == {
            "error_code": "assistant_not_available",
            "detail": "Assistant not available to your tenant",
        }
    for thread_id in (foreign_thread, number("thread", foreign_thread)):
        for method, path in (("GET", ""), ("GET", "/messages"), ("POST", "/run"), ("POST", "/run/stream")):
            reply = await agents.request(method, f"/threads/{thread_id}{path}")
            assert (reply.status_code, reply.json()["error_code"]) == (404, "thread_not_found")
