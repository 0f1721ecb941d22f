"""What version 1 refuses, and in which words; strict mode; keys of other tenants; repeated requests."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from engine_world import new_id
from gateway.bootstrap import stream_hub, surfaces, use_cases
from gateway.entrypoints.http.app import build_app
from gateway.entrypoints.http.endpoint import Draining
from ruby_client import OPERATIONS
from starlette.types import ASGIApp
from version_1_world import Version1

ALONE = sorted(name for name, each in OPERATIONS.items() if each["path"].endswith(("/files", "/files/{file_id}")))
MESSAGE = {"role": "user", "content": "hello"}


@pytest.mark.parametrize(
    ("name", "body", "param", "message"),
    [
        ("create_assistant", {"temperature": 1}, "temperature", "Unknown parameter: 'temperature'."),
        ("create_assistant", {"tool_resources": {}}, "tool_resources", "Unknown parameter: 'tool_resources'."),
        (
            "create_assistant",
            {"tools": [{"type": "file_search"}]},
            "tools[0].type",
            "Invalid value: 'file_search'. Supported values are: 'code_interpreter', 'retrieval', and 'function'.",
        ),
        (
            "create_assistant",
            {"file_ids": ["file-1"] * 21},
            "file_ids",
            "Invalid 'file_ids': array too long. Expected an array with maximum length 20, but got an array with "
            "length 21 instead.",
        ),
        (
            "create_assistant",
            {"file_ids": "file-1"},
            "file_ids",
            "Invalid type for 'file_ids': expected an array of strings, but got a string instead.",
        ),
        (
            "create_message",
            {"file_ids": ["file-1"] * 11},
            "file_ids",
            "Invalid 'file_ids': array too long. Expected an array with maximum length 10, but got an array with "
            "length 11 instead.",
        ),
        ("create_message", {"attachments": []}, "attachments", "Unknown parameter: 'attachments'."),
        (
            "create_message",
            {"content": [{"type": "text", "text": "x"}]},
            "content",
            "Invalid type for 'content': expected a string, but got an array instead.",
        ),
        ("create_thread", {"tool_resources": {}}, "tool_resources", "Unknown parameter: 'tool_resources'."),
        ("modify_thread", {"tool_resources": {}}, "tool_resources", "Unknown parameter: 'tool_resources'."),
        (
            "create_thread",
            {"messages": [{**MESSAGE, "attachments": []}]},
            "messages[0].attachments",
            "Unknown parameter: 'messages[0].attachments'.",
        ),
        (
            "create_run",
            {"parallel_tool_calls": True},
            "parallel_tool_calls",
            "Unknown parameter: 'parallel_tool_calls'.",
        ),
        (
            "create_thread_and_run",
            {"thread": {"messages": [{**MESSAGE, "file_ids": "x"}]}},
            "thread.messages[0].file_ids",
            "Invalid type for 'thread.messages[0].file_ids': expected an array of strings, but got a string instead.",
        ),
        (
            "create_assistant_file",
            {"file_id": 1},
            "file_id",
            "Invalid type for 'file_id': expected a string, but got an integer instead.",
        ),
    ],
)
async def test_what_version_1_does_not_take(
    ruby: Version1, name: str, body: dict[str, Any], param: str, message: str
) -> None:
    error = await ruby.refused(name, await ruby.place(), **body)
    assert (error["param"], error["message"], error["type"]) == (param, message, "invalid_request_error")


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("create_assistant", {"file_ids": ["file-none"]}, "file"),
        ("create_assistant_file", {"file_id": "file-none"}, "file"),
        ("create_assistant_file", {"file_id": "no file / at all"}, "file"),
        ("create_message", {"file_ids": ["file-none"]}, "file"),
        ("create_thread", {"messages": [{**MESSAGE, "file_ids": ["file-none"]}]}, "file"),
        ("create_thread_and_run", {"thread": {"messages": [{**MESSAGE, "file_ids": ["file-none"]}]}}, "file"),
    ],
)
async def test_a_file_that_is_not_there(ruby: Version1, name: str, body: dict[str, Any], kind: str) -> None:
    place = await ruby.place()
    rows = await ruby.caller.rows()
    error = await ruby.refused(name, {**place, "thread_id": place["idle_thread_id"]}, 404, **body)
    assert error["message"].startswith(f"No {kind} found with id '")
    assert await ruby.caller.rows() == rows
    changed = await ruby.post(f"/assistants/{place['assistant_id']}", {"file_ids": ["file-none"]})
    assert (changed.status_code, changed.json()["error"]["message"]) == (404, "No file found with id 'file-none'.")


async def test_an_assistant_has_twenty_files_at_most(ruby: Version1) -> None:
    files = await ruby.files(21)
    made = await ruby.call("create_assistant", {"model": "demo"}, file_ids=files[:20])
    error = await ruby.refused("create_assistant_file", {"assistant_id": made["id"], "file_id": files[20]})
    assert (error["code"], error["param"]) == ("file_limit_exceeded", "file_id")
    assert error["message"] == "Invalid 'file_id': too many files. An assistant has at most 20."


@pytest.mark.parametrize("name", ALONE)
async def test_what_is_not_there_is_named(ruby: Version1, name: str) -> None:
    place = await ruby.place()
    for missing, kind in (
        ("assistant_id", "assistant"),
        ("file_id", "file"),
        ("thread_id", "thread"),
        ("message_id", "message"),
    ):
        if missing in OPERATIONS[name]["path"]:
            for value in ("none", "no$id"):
                error = await ruby.refused(name, {**place, missing: value}, 404)
                assert error["message"] == f"No {kind} found with id '{value}'."


@pytest.mark.parametrize("name", ALONE)
async def test_another_tenant_sees_nothing(
    ruby: Version1, app: ASGIApp, new_caller: Callable[[], Awaitable[Any]], name: str
) -> None:
    place = await ruby.place()
    stranger = Version1(app, await new_caller())
    error = await stranger.refused(name, place, 404)
    assert error["message"].startswith(("No assistant found", "No thread found"))
    await stranger.http.aclose()


@pytest.mark.parametrize("name", ALONE)
async def test_operations_on_files_need_no_header_and_are_not_in_version_2(ruby: Version1, name: str) -> None:
    place, operation = await ruby.place(), OPERATIONS[name]
    path = operation["path"].format(**place)
    body = {"file_id": place["file_id"]} if operation["method"] == "POST" else None
    headers = {"authorization": ruby.key}
    for beta in ({"openai-beta": "assistants=v2"}, {"openai-beta": "assistants=v1, assistants=v2"}):
        reply = await ruby.http.request(operation["method"], path, json=body, headers=headers | beta)
        assert reply.status_code == 404
        assert reply.json()["error"]["message"] == f"Invalid URL ({operation['method']} /v1{path})"
    reply = await ruby.http.request(operation["method"], path, json=body, headers=headers)
    assert reply.status_code == 200, reply.text


async def test_without_a_header_the_rest_is_version_2(ruby: Version1) -> None:
    headers = {"authorization": ruby.key}
    for beta in ({}, {"openai-beta": "assistants=v1,assistants=v2"}, {"openai-beta": "assistants=v3"}):
        reply = await ruby.http.post("/assistants", json={"model": "demo"}, headers=headers | beta)
        assert reply.status_code == 200
        assert {"tool_resources", "temperature"} <= reply.json().keys()
        reply = await ruby.http.post("/assistants", json={"model": "demo", "file_ids": []}, headers=headers | beta)
        assert reply.json()["error"]["message"] == "Unknown parameter: 'file_ids'."


async def test_strict_mode_takes_either_version(
    ruby: Version1, engine: Any, settings: Any, stored: Any, bus: Any
) -> None:
    strict = settings.model_copy(update={"require_beta_header": True})
    cases = use_cases(engine, strict, stored, stream_hub(engine, bus))
    app = build_app(surfaces(cases, strict), largest_body=1024, draining=Draining())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway/v1") as http:
        for beta, status in (("assistants=v1", 200), ("assistants=v2", 200), ("assistants=v3", 400), (None, 400)):
            headers = {"authorization": ruby.key} | ({} if beta is None else {"openai-beta": beta})
            assert (await http.get("/assistants", headers=headers)).status_code == status, beta
        made = await ruby.call("create_assistant", {"model": "demo"})
        reply = await http.get(f"/assistants/{made['id']}/files", headers={"authorization": ruby.key})
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_beta")


async def test_bodies_that_are_none(ruby: Version1) -> None:
    """Where an object is expected there may be nothing, or PHP's empty array; other types than JSON are refused."""
    headers = {"authorization": ruby.key, "openai-beta": "assistants=v1"}
    for content, content_type in ((b"", "text/plain"), (b"[]", "application/json"), (b"{}", "application/json")):
        sent = {**headers, "content-type": content_type}
        reply = await ruby.http.post("/threads", content=content, headers=sent)
        assert (reply.status_code, sorted(reply.json())) == (200, ["created_at", "id", "metadata", "object"])
    reply = await ruby.http.post("/threads", content=b"{}", headers={**headers, "content-type": "text/plain"})
    assert reply.json()["error"]["code"] == "unsupported_content_type"
    for content in (b"{", b'{"a":' * 101 + b"1" + b"}" * 101, b'{"metadata":{"a":"\\u0000"}}', b'"x"'):
        reply = await ruby.http.post(
            "/threads", content=content, headers={**headers, "content-type": "application/json"}
        )
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"]["type"] == "invalid_request_error"


async def test_a_repetition_gets_the_same_object_of_version_1(ruby: Version1) -> None:
    (file,) = await ruby.files(1)
    made = await ruby.call("create_assistant", {"model": "demo"})
    for path, body in (
        ("/assistants", {"model": "demo", "tools": [{"type": "retrieval"}]}),
        (f"/assistants/{made['id']}/files", {"file_id": file}),
    ):
        key = f"key-{path[-5:]}-{file}"
        first, again = [await ruby.post(path, body, **{"idempotency-key": key}) for _ in range(2)]
        assert first.status_code == 200, first.text
        assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")


async def test_a_key_stands_for_a_request_in_one_version(ruby: Version1) -> None:
    for path in ("/assistants", "/threads"):
        key, body = f"key-{new_id('run')}", {"model": "demo"} if path == "/assistants" else {}
        assert (await ruby.post(path, body, **{"idempotency-key": key})).status_code == 200
        headers = {"openai-beta": "assistants=v2", "idempotency-key": key}
        assert (await ruby.post(path, body, **headers)).status_code == 409, "it would be shown an object of version 1"
