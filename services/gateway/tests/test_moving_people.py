"""Users, kept tools, participants, senders and messages of tools over /v1/import and /v1/export, byte by byte."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from conformance import api_objects
from run_engine.domain.drafts import PageRequest
from run_engine.store.conversations import Conversations
from run_engine.store.users import Users
from starlette.types import ASGIApp

BEGAN = api_objects.BEGAN
CALLS = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def user(**fields: Any) -> dict[str, Any]:
    return {"id": "user_abc", "object": "user", "created_at": BEGAN, "name": "Ada", "metadata": {}} | fields


def tool(**fields: Any) -> dict[str, Any]:
    function = {"name": "f", "strict": True, "parameters": {"z": {}, "a": {}}, "x-of-ours": [1]}
    return {"id": "tool_abc", "object": "tool", "created_at": BEGAN, "name": "a tool", "function": function} | fields


def said(role: str, **fields: Any) -> dict[str, Any]:
    bare = {"role": role, "assistant_id": None, "run_id": None, "attachments": [], "completed_at": None}
    content = [{"type": "text", "text": {"value": "hello", "annotations": []}}]
    return api_objects.message() | bare | {"content": content} | fields


EVERYTHING = [
    api_objects.assistant(),
    user(assistant_ids=["asst_abc123"]),
    user(id="ada@example.org", name=None, metadata={"a": "b"}),
    tool(),
    api_objects.thread(title="Dates", assistant_id="asst_gone", participants=["ada@example.org", "user_abc"]),
    said("user", id="msg_1", sender_id="user_gone"),
    said("assistant", id="msg_2", tool_calls=CALLS),
    said("tool", id="msg_3", tool_call_id="call_1"),
    said("user", id="msg_4"),
]


@pytest_asyncio.fixture
async def new_mover(
    new_caller: Callable[[], Awaitable[Any]], app: ASGIApp
) -> AsyncIterator[Callable[[], Awaitable[tuple[Any, httpx.AsyncClient]]]]:
    made: list[httpx.AsyncClient] = []

    async def make() -> tuple[Any, httpx.AsyncClient]:
        caller = await new_caller()
        made.append(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://gateway/v1",
                headers={"authorization": f"Bearer {caller.key}"},
                event_hooks={"response": [caller.described.sees_async]},
            )
        )
        return caller, made[-1]

    yield make
    for client in made:
        await client.aclose()


NewMover = Callable[[], Awaitable[tuple[Any, httpx.AsyncClient]]]


async def imports(client: httpx.AsyncClient, content: bytes) -> Any:
    response = await client.post("/import", content=content, headers={"content-type": "application/x-ndjson"})
    assert response.status_code == 200, response.text
    return response.json()


async def exported(client: httpx.AsyncClient, **query: str) -> bytes:
    response = await client.get("/export", params=query)
    assert response.status_code == 200, response.text
    return response.content


def lines(objects: list[Any]) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in objects)


async def test_what_was_exported_is_exported_again_to_the_byte(new_mover: NewMover) -> None:
    (caller, one), (_, other), (_, third) = await new_mover(), await new_mover(), await new_mover()
    report = await imports(one, lines(EVERYTHING[::-1]))
    assert report["imported"] == {
        "assistant": 1, "file": 0, "thread": 1, "thread.message": 4, "thread.run": 0, "thread.run.step": 0,
        "user": 2, "tool": 1,
    }  # fmt: skip
    assert report["ignored_fields"] == {}
    dump = await exported(one)
    # Those of one second are in the order of the import, which was reversed.
    assert sorted(map(orjson.loads, dump.splitlines()), key=lambda each: each["id"]) == sorted(
        EVERYTHING, key=lambda each: str(each["id"])
    )
    await imports(other, dump)
    assert await exported(other) == dump
    for line in dump.splitlines(keepends=True):
        await imports(third, line)
    assert await exported(third) == dump
    conversation = await Conversations(caller.database).list(caller.tenant, "thread_abc123", PageRequest())
    assert [(each.id, each.role) for each in conversation.items] == [
        ("msg_1", "user"), ("msg_2", "assistant"), ("msg_3", "tool"), ("msg_4", "user"),
    ]  # fmt: skip
    assert len(await Users(caller.database).participants(caller.tenant, "thread_abc123")) == 2


async def test_openais_operations_show_nothing_of_it(new_mover: NewMover) -> None:
    caller, client = await new_mover()
    await imports(client, lines(EVERYTHING))
    assert await caller.get("/threads/thread_abc123") == api_objects.thread()
    listed = (await caller.get("/threads/thread_abc123/messages", order="asc"))["data"]
    assert listed == [said("user", id="msg_1"), said("assistant", id="msg_2"), said("user", id="msg_4")]
    missing = await caller.refused("GET", "/threads/thread_abc123/messages/msg_3", 404)
    assert missing["message"] == "No message found with id 'msg_3'."
    refused = await caller.refused(
        "POST", "/threads/thread_abc123/messages", 400, json={"role": "tool", "content": "x"}
    )
    assert refused["param"] == "role"


async def test_what_only_openai_knows_is_exported_as_openai_had_it(new_mover: NewMover) -> None:
    _, client = await new_mover()
    report = await imports(client, lines(api_objects.everything()))
    assert "user" not in report["imported"]
    shown = [orjson.loads(line) for line in (await exported(client)).splitlines()]
    assert sorted(shown, key=lambda each: each["id"]) == sorted(
        api_objects.everything(), key=lambda each: str(each["id"])
    )


async def test_one_thread_brings_its_people(new_mover: NewMover) -> None:
    _, client = await new_mover()
    await imports(client, lines(EVERYTHING))
    shown = [orjson.loads(line) for line in (await exported(client, thread_id="thread_abc123")).splitlines()]
    assert [each["id"] for each in shown] == [
        "ada@example.org", "user_abc", "thread_abc123", "msg_1", "msg_2", "msg_3", "msg_4",
    ]  # fmt: skip
    assert "assistant_ids" not in shown[1]


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        (api_objects.thread(participants=["user_none"]), "participants", "not_found"),
        (user(assistant_ids=["asst_none"]), "assistant_ids", "not_found"),
        (user(name=7), "name", "invalid_type"),
        (user(id=""), "id", "empty_string"),
        (tool(function={"parameters": {}}), "function.name", "missing_required_parameter"),
        (tool(function=None), "function", "invalid_type"),
        (said("tool", tool_calls=[{"id": "c"}]), "tool_calls[0].type", "missing_required_parameter"),
        (said("system"), "role", "invalid_value"),
    ],
)
async def test_what_cannot_be_stored_is_refused(
    new_mover: NewMover, given: dict[str, Any], param: str, code: str
) -> None:
    _, client = await new_mover()
    response = await client.post("/import", json={"objects": [given, api_objects.thread(id="thread_other")]})
    assert response.status_code == 400, response.text
    error = response.json()["refused"][0]["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert await exported(client) == b""
