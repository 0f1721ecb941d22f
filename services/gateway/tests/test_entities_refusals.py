"""`/entities`: who is let in, what is refused and in which words; other tenants' ids."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from conformance import api_objects
from engine_world import call
from entities_caller import EntitiesCaller
from gateway.application.streams.hub import StreamsEnd
from gateway.entrypoints.http.body import BodyTooLarge
from gateway.entrypoints.http.endpoint import MethodNotAllowed, UnknownRoute
from gateway.entrypoints.http.entities.access import key_of
from gateway.entrypoints.http.entities.refusals import refusal_of
from gateway.entrypoints.http.entities.surface import PREFIX
from gateway.entrypoints.http.idempotency import KeyMalformed
from run_engine import errors
from run_engine.store.tenants import Tenants
from starlette.types import ASGIApp

NOTHING = "0" * 22


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({b"authorization": b"Bearer sk-ada"}, "sk-ada"),
        ({b"authorization": b"bearer   sk-ada "}, "sk-ada"),
        ({b"x-api-key": b" sk-ada "}, "sk-ada"),
        ({b"authorization": b"Bearer sk-ada", b"x-api-key": b"sk-bob"}, "sk-ada"),
        ({b"authorization": b"Basic c2s=", b"x-api-key": b"sk-bob"}, "sk-bob"),
        ({b"authorization": b"Bearer "}, None),
        ({b"x-api-key": b""}, None),
        ({}, None),
    ],
)
def test_where_the_key_is_looked_for(headers: dict[bytes, bytes], key: str | None) -> None:
    assert key_of(headers) == key


async def test_who_is_let_in(entities: Any, app: ASGIApp) -> None:
    user = await entities.user()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://gateway{PREFIX}") as stranger:
        for headers, status, detail in (
            ({}, 401, "Not authenticated"),
            ({"authorization": "Bearer sk-nobody"}, 401, "Invalid API key"),
            ({"x-api-key": "sk-nobody"}, 401, "Invalid API key"),
        ):
            reply = await stranger.get(f"/users/{user}", headers=headers)
            assert (reply.status_code, reply.json()) == (status, {"detail": detail})
            assert reply.headers["www-authenticate"] == "Bearer"
        reply = await stranger.get(f"/users/{user}", headers={"x-api-key": entities.openai.key})
        assert (reply.status_code, reply.json()["id"]) == (200, user)
        key = f"sk-events-{entities.tenant}"
        tenants = Tenants(entities.openai.database)
        await tenants.add_key(f"events-{entities.tenant}", entities.tenant, key, "for events", ["events"])
        reply = await stranger.get(f"/users/{user}", headers={"x-api-key": key})
        assert (reply.status_code, reply.json()) == (403, {"detail": "This API key does not have the scope 'api'"})


async def test_ids_of_another_tenant_are_unknown(entities: Any, new_caller: Any, app: ASGIApp) -> None:
    """Every operation that names an object, with an id that is real elsewhere: 404, or what an unknown id gets."""
    shown, _ = await entities.parked(call())
    tool = (await entities.post("/tools", {"function": {"name": "f"}}))["id"]
    (action,) = await entities.get(f"/runs/{shown['id']}/actions/status")
    user, thread, run, assistant = await entities.user(), shown["thread_id"], shown["id"], shown["assistant_id"]
    (message,) = await entities.get(f"/threads/{thread}/messages")
    message = message["id"]
    async with EntitiesCaller(app, await new_caller()) as stranger:
        own = await stranger.user()
        own_thread, own_assistant = await stranger.thread(own), await stranger.assistant()
        own_tool = (await stranger.post("/tools", {"function": {"name": "f"}}))["id"]
        before = await stranger.openai.rows()
        requests: list[tuple[str, str, Any]] = [
            ("GET", f"/users/{user}", None),
            ("PUT", f"/users/{user}", {"name": "mine"}),
            ("DELETE", f"/users/{user}", None),
            ("GET", f"/users/{user}/threads", None),
            ("GET", f"/users/{user}/assistants", None),
            ("POST", f"/users/{user}/assistants/{own_assistant}", None),
            ("POST", f"/users/{own}/assistants/{assistant}", None),
            ("DELETE", f"/users/{own}/assistants/{assistant}", None),
            ("GET", f"/threads/{thread}", None),
            ("DELETE", f"/threads/{thread}", None),
            ("GET", f"/threads/{thread}/messages", None),
            ("GET", f"/threads/{thread}/formatted_messages", None),
            ("POST", "/messages", {"thread_id": thread, "sender_id": own, "content": "a"}),
            ("POST", "/messages", {"thread_id": own_thread, "sender_id": user, "content": "a"}),
            ("POST", "/messages/assistant", {"thread_id": thread, "content": "a"}),
            ("GET", f"/messages/{message}", None),
            ("POST", f"/messages/{message}/tool", {"content": "a"}),
            ("POST", "/runs", {"thread_id": thread, "assistant_id": own_assistant}),
            ("POST", "/runs", {"thread_id": own_thread, "assistant_id": assistant}),
            ("GET", f"/runs/{run}", None),
            ("PUT", f"/runs/{run}/status", {"status": "cancelled"}),
            ("POST", f"/runs/{run}/cancel", None),
            ("GET", f"/runs/{run}/actions/status", None),
            ("POST", "/assistants", {"model": "demo", "user_id": user}),
            ("GET", f"/assistants/{assistant}", None),
            ("PUT", f"/assistants/{assistant}", {"name": "mine"}),
            ("GET", f"/assistants/{assistant}/tools", None),
            ("POST", f"/assistants/{assistant}/tools/{own_tool}", None),
            ("POST", f"/assistants/{own_assistant}/tools/{tool}", None),
            ("DELETE", f"/assistants/{own_assistant}/tools/{tool}", None),
            ("GET", f"/tools/{tool}", None),
            ("PUT", f"/tools/{tool}", {"name": "mine"}),
            ("DELETE", f"/tools/{tool}", None),
            ("POST", "/actions", {"run_id": run, "tool_name": "f"}),
            ("GET", f"/actions/{action['id']}", None),
            ("PUT", f"/actions/{action['id']}", {"status": "completed"}),
            ("DELETE", f"/actions/{action['id']}", None),
        ]
        for method, path, body in requests:
            request = {} if body is None else {"json": body}
            detail = await stranger.refused(method, path, 404, **request)
            assert detail.endswith(" not found"), (method, path)
        body = {"participant_ids": [own, user]}
        assert await stranger.refused("POST", "/threads", 400, json=body) == "Invalid user IDs"
        assert await stranger.openai.rows() == before
    assert (await entities.get(f"/runs/{run}"))["status"] == "action_required"


async def test_aliases_of_another_tenant_lead_nowhere(entities: Any, new_caller: Any, app: ASGIApp) -> None:
    """An imported id has a number that stands for it, for its tenant alone."""
    response = await entities.http.post("http://gateway/v1/import", json={"objects": [api_objects.thread()]})
    assert response.status_code == 200
    shown = (await entities.get("/threads/thread_abc123"))["id"]
    async with EntitiesCaller(app, await new_caller()) as stranger:
        assert await stranger.refused("GET", f"/threads/{shown}", 404) == "Thread not found"
        assert await stranger.refused("GET", "/threads/thread_abc123", 404) == "Thread not found"


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/users/{id}", "User not found"),
        ("/threads/{id}", "Thread not found"),
        ("/threads/{id}/messages", "Thread not found"),
        ("/messages/{id}", "Message not found"),
        ("/runs/{id}", "Run not found"),
        ("/assistants/{id}", "Assistant not found"),
        ("/tools/{id}", "Tool not found"),
        ("/actions/{id}", "Action not found"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        NOTHING,
        "thread_" + NOTHING,
        "thread_" + "z" * 22,
        "run_short",
        "%00",
        "a%20b",
        "'; DROP TABLE users; --",
        "x" * 65,
        "ä" * 10,
        "user_" + "é" * 22,
        "\ud7ff",
        "action_" + "0" * 21 + "\u0661",
    ],
)
async def test_what_is_no_id(entities: Any, path: str, detail: str, text: str) -> None:
    assert await entities.refused("GET", path.format(id=text), 404) == detail


async def test_paths_and_methods_that_are_none(entities: Any) -> None:
    response = await entities.http.delete("/runs/run_x")
    assert (response.status_code, response.json()) == (405, {"detail": "Method Not Allowed"})
    assert response.headers["allow"] == "GET, HEAD"
    assert await entities.refused("GET", "/messages/assistant", 405) == "Method Not Allowed"
    assert await entities.refused("GET", "/unknown", 404) == "Not Found"
    assert await entities.refused("GET", "/threads/a%2Fmessages", 404) == "Not Found"


async def test_a_request_with_a_key_has_one_effect(entities: Any) -> None:
    user = await entities.user()
    thread = await entities.thread(user)
    body = {"content": "once", "thread_id": thread, "sender_id": user}
    headers = {"idempotency-key": "k1"}
    replies = await asyncio.gather(*(entities.http.post("/messages", json=body, headers=headers) for _ in range(5)))
    assert len({reply.content for reply in replies}) == 1
    assert replies[0].status_code == 200
    assert len(await entities.get(f"/threads/{thread}/messages")) == 1
    detail = await entities.refused("POST", "/messages", 409, json={**body, "content": "twice"}, headers=headers)
    assert detail == "The Idempotency-Key was used for another request before"
    detail = await entities.refused("POST", "/messages", 422, json=body, headers={"idempotency-key": "k" * 256})
    assert [(each["loc"], each["type"]) for each in detail] == [(["header", "idempotency-key"], "value_error")]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownRoute(), 404),
        (MethodNotAllowed(("GET",)), 405),
        (BodyTooLarge(3), 413),
        (errors.NotFound("thread", "thread_1"), 404),
        (errors.ThreadBusy("thread_1", "run_1"), 409),
        (errors.ThreadFull("thread_1", 5), 400),
        (errors.TooMuchMetadata(16, 17), 422),
        (errors.TooManyTools(128), 400),
        (errors.IllegalMove("expired", "cancel"), 400),
        (errors.OutputsNotAccepted("queued"), 409),
        (errors.WrongOutputs([], ["call_1"]), 404),
        (errors.DatabaseUnavailable("secret"), 503),
        (errors.KeyInUse(), 409),
        (errors.KeyReused(), 409),
        (KeyMalformed(), 422),
        (StreamsEnd(), 503),
        (ValueError("secret"), 500),
    ],
)
def test_every_refusal_has_the_envelope_and_tells_no_secret(error: Exception, status: int) -> None:
    reply = refusal_of(error).reply()
    assert reply.status == status
    body = orjson.loads(reply.body)
    assert list(body) == ["detail"]
    assert isinstance(body["detail"], list) is (status == 422)
    assert b"secret" not in reply.body
    assert (b"retry-after" in dict(reply.headers)) is (status == 503 or isinstance(error, errors.KeyInUse))
