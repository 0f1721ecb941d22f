"""Whatever is wrong with a request: the right status, the envelope, and nothing written."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

JSON = {"content-type": "application/json"}


@pytest.fixture
def places(caller: Any) -> Any:
    """Where bodies can be sent, with what a right one needs."""

    async def make() -> dict[str, dict[str, Any]]:
        assistant_id, thread_id = await caller.assistant(), await caller.thread("hello")
        other = await caller.run()
        run = f"/threads/{other['thread_id']}/runs/{other['id']}"
        return {
            "/assistants": {"model": "demo"},
            f"/assistants/{assistant_id}": {},
            "/threads": {},
            f"/threads/{thread_id}": {},
            f"/threads/{thread_id}/messages": {"role": "user", "content": "x"},
            "/threads/runs": {"assistant_id": assistant_id},
            f"/threads/{thread_id}/runs": {"assistant_id": assistant_id},
            run: {},
            f"{run}/submit_tool_outputs": {"tool_outputs": []},
        }

    return make


BODIES: list[tuple[bytes, int, str]] = [
    (b"{", 400, "We could not parse the JSON body of your request."),
    (b'{"a": "\xff\xfe"}', 400, "We could not parse the JSON body of your request."),
    (b'{"a": "\\ud800"}', 400, "We could not parse the JSON body of your request."),
    (b'{"a": NaN}', 400, "We could not parse the JSON body of your request."),
    (b"[" * 5000 + b"]" * 5000, 400, "We could not parse the JSON body of your request."),
    (b'{"metadata":' * 200 + b"1" + b"}" * 200, 400, "Invalid request body: it is nested deeper than 100 levels."),
    (b'"text"', 400, "Invalid type for the request body: expected an object, but got a string instead."),
    (b"[1]", 400, "Invalid type for the request body: expected an object, but got an array instead."),
    (b"x" * (1024 * 1024 + 1), 413, "The request body is too large: at most 1048576 bytes are accepted."),
]


@pytest.mark.parametrize(("body", "status", "message"), BODIES)
async def test_bodies_that_are_wrong_everywhere(
    caller: Any, places: Any, body: bytes, status: int, message: str
) -> None:
    everywhere = await places()
    before = await caller.rows()
    for path in everywhere:
        error = await caller.refused("POST", path, status, content=body, headers=JSON)
        assert error["message"].startswith(message), path
        assert error["type"] == "invalid_request_error"
    assert await caller.rows() == before


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"nope": 1}, "nope", "unknown_parameter"),
        ({"metadata": "x"}, "metadata", "invalid_type"),
        ({"metadata": {"a": None}}, "metadata.a", "invalid_type"),
        ({"metadata": {"a": "b\x00"}}, "metadata.a", "invalid_value"),
        ({"metadata": {"k" * 65: "v"}}, f"metadata.{'k' * 64}...", "property_name_above_max_length"),
    ],
)
async def test_fields_that_are_wrong_everywhere(
    caller: Any, places: Any, fields: dict[str, Any], param: str, code: str
) -> None:
    everywhere = await places()
    before = await caller.rows()
    for path, body in everywhere.items():
        if path.endswith("/submit_tool_outputs") and "metadata" in fields:
            continue
        error = await caller.refused("POST", path, json={**body, **fields})
        assert (error["param"], error["code"]) == (param, code), path
    assert await caller.rows() == before


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_other_content_types(caller: Any, places: Any, content_type: str) -> None:
    everywhere = await places()
    before = await caller.rows()
    for path in everywhere:
        error = await caller.refused("POST", path, content=b"{}", headers={"content-type": content_type})
        assert error["code"] == "unsupported_content_type"
        assert f"'Content-Type: {content_type}'" in error["message"]
    assert await caller.rows() == before


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"],
)
async def test_content_types_that_are_json(caller: Any, content_type: str) -> None:
    response = await caller.http.post("/threads", content=b"{}", headers={"content-type": content_type})
    assert response.status_code == 200


async def test_a_stream_is_asked_for_with_a_boolean(caller: Any, places: Any) -> None:
    everywhere = await places()
    before = await caller.rows()
    for path, body in everywhere.items():
        if path.endswith(("/runs", "/submit_tool_outputs")):
            for stream in ("true", 1, []):
                error = await caller.refused("POST", path, json={**body, "stream": stream})
                assert (error["param"], error["code"]) == ("stream", "invalid_type")
    assert await caller.rows() == before


UNKNOWN = ["unknown", "x" * 65, "a%00b", "%F0%9F%8D%89", "a%20b", "a'b", "..%2e"]


@pytest.mark.parametrize("unknown", UNKNOWN)
async def test_unknown_ids(caller: Any, unknown: str) -> None:
    run = await caller.run()
    before = await caller.rows()
    assistant, thread = f"/assistants/{unknown}", f"/threads/{unknown}"
    known_run = f"/threads/{run['thread_id']}/runs/{run['id']}"
    message = {"role": "user", "content": "x"}
    for method, path, body, kind in [
        ("GET", assistant, None, "assistant"),
        ("POST", assistant, {"name": "x"}, "assistant"),
        ("DELETE", assistant, None, "assistant"),
        ("GET", thread, None, "thread"),
        ("POST", thread, {"metadata": {}}, "thread"),
        ("DELETE", thread, None, "thread"),
        ("GET", f"{thread}/messages", None, "thread"),
        ("POST", f"{thread}/messages", message, "thread"),
        ("GET", f"{thread}/messages/msg_1", None, "thread"),
        ("GET", f"{thread}/runs", None, "thread"),
        ("POST", f"{thread}/runs", {"assistant_id": run["assistant_id"]}, "thread"),
        ("GET", f"{thread}/runs/{run['id']}", None, "thread"),
        ("POST", f"{thread}/runs/{run['id']}/cancel", None, "thread"),
        ("GET", f"{thread}/runs/{run['id']}/steps", None, "thread"),
        ("GET", f"/threads/{run['thread_id']}/messages/{unknown}", None, "message"),
        ("GET", f"/threads/{run['thread_id']}/runs/{unknown}", None, "run"),
        ("POST", f"/threads/{run['thread_id']}/runs/{unknown}", {"metadata": {}}, "run"),
        ("POST", f"/threads/{run['thread_id']}/runs/{unknown}/cancel", None, "run"),
        ("POST", f"/threads/{run['thread_id']}/runs/{unknown}/submit_tool_outputs", {"tool_outputs": []}, "run"),
        ("GET", f"/threads/{run['thread_id']}/runs/{unknown}/steps", None, "run"),
        ("GET", f"/threads/{run['thread_id']}/runs/{unknown}/steps/step_1", None, "run"),
        ("GET", f"{known_run}/steps/{unknown}", None, "run step"),
        ("GET", f"/assistants?after={unknown}", None, "assistant"),
        ("GET", f"/threads/{run['thread_id']}/messages?after={unknown}", None, "message"),
    ]:
        error = await caller.refused(method, path, 404, **({} if body is None else {"json": body}))
        assert error["message"].startswith(f"No {kind} found with id '"), (method, path)
        assert error["type"] == "invalid_request_error"
    error = await caller.refused("POST", "/threads/runs", 404, json={"assistant_id": unknown})
    assert error["message"].startswith("No assistant found with id '")
    assert await caller.rows() == before


async def test_another_tenants_objects_do_not_exist(new_caller: Any) -> None:
    owner, stranger = await new_caller(), await new_caller()
    run = await owner.run()
    await stranger.assistant()
    message_id = (await owner.get(f"/threads/{run['thread_id']}/messages"))["data"][0]["id"]
    thread, assistant = f"/threads/{run['thread_id']}", f"/assistants/{run['assistant_id']}"
    before = await owner.rows(), await stranger.rows()
    for method, path, body in [
        ("GET", assistant, None),
        ("POST", assistant, {"name": "mine"}),
        ("DELETE", assistant, None),
        ("GET", thread, None),
        ("POST", thread, {"metadata": {"a": "b"}}),
        ("DELETE", thread, None),
        ("GET", f"{thread}/messages", None),
        ("POST", f"{thread}/messages", {"role": "user", "content": "x"}),
        ("GET", f"{thread}/messages/{message_id}", None),
        ("GET", f"{thread}/runs", None),
        ("POST", f"{thread}/runs", {"assistant_id": run["assistant_id"]}),
        ("GET", f"{thread}/runs/{run['id']}", None),
        ("POST", f"{thread}/runs/{run['id']}", {"metadata": {"a": "b"}}),
        ("POST", f"{thread}/runs/{run['id']}/cancel", None),
        ("POST", f"{thread}/runs/{run['id']}/submit_tool_outputs", {"tool_outputs": []}),
        ("GET", f"{thread}/runs/{run['id']}/steps", None),
        ("POST", "/threads/runs", {"assistant_id": run["assistant_id"]}),
    ]:
        await stranger.refused(method, path, 404, **({} if body is None else {"json": body}))
    assert run["assistant_id"] not in [each["id"] for each in (await stranger.get("/assistants"))["data"]]
    assert (await owner.rows(), await stranger.rows()) == before
    assert await owner.get(f"{thread}/runs/{run['id']}") == run


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Basic dTpw", "Bearer sk-wrong-wrong-wrong", "Bearer ÿ"]
)
async def test_keys(caller: Any, authorization: str | None) -> None:
    before = await caller.rows()
    async with httpx.AsyncClient(transport=caller.http._transport, base_url="http://gateway/v1") as http:
        headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
        for method, path in [("POST", "/assistants"), ("GET", "/assistants"), ("DELETE", "/threads/thread_1")]:
            response = await http.request(method, path, headers=headers)
            error = response.json()["error"]
            assert response.status_code == 401
            assert error["type"] == "invalid_request_error"
            named = authorization is not None and len(authorization) > 7 and not authorization.startswith("Basic")
            assert error["code"] == ("invalid_api_key" if named else None)
            assert "wrong-wrong" not in response.text
    assert await caller.rows() == before


def routes() -> Iterator[tuple[str, str, int, str]]:
    yield "GET", "/nothing", 404, "Invalid URL (GET /v1/nothing)"
    yield "POST", "/nothing/at/all", 404, "Invalid URL (POST /v1/nothing/at/all)"
    yield "GET", "/assistants/", 404, "Invalid URL (GET /v1/assistants/)"
    yield "OPTIONS", "/nothing", 404, "Invalid URL (OPTIONS /v1/nothing)"
    yield "GET", f"/{'n' * 1000}", 404, f"Invalid URL (GET /v1/{'n' * 252}...)"
    # A slash inside an id divides nothing: whoever puts ids of others into a path has encoded them.
    yield "GET", "/threads/thread_1%2Fmessages", 404, "Invalid URL (GET /v1/threads/thread_1/messages)"
    yield "DELETE", "/threads/x%2f..%2fy", 404, "Invalid URL (DELETE /v1/threads/x/../y)"
    yield "DELETE", "/threads", 405, "Not allowed to DELETE on /v1/threads."
    yield "PUT", "/threads", 405, "Not allowed to PUT on /v1/threads."
    yield "OPTIONS", "/threads", 405, "Not allowed to OPTIONS on /v1/threads."
    yield "PATCH", "/assistants", 405, "Not allowed to PATCH on /v1/assistants."
    yield "GET", "/threads/runs", 405, "Not allowed to GET on /v1/threads/runs."


@pytest.mark.parametrize(("method", "path", "status", "message"), list(routes()))
async def test_routes_and_methods(caller: Any, method: str, path: str, status: int, message: str) -> None:
    error = await caller.refused(method, path, status)
    assert error["message"] == message


async def test_405_names_what_is_allowed(caller: Any) -> None:
    assert (await caller.http.put("/assistants/asst_1")).headers["allow"] == "GET, POST, DELETE, HEAD"
    assert (await caller.http.get("/threads/runs")).headers["allow"] == "POST"


async def test_head_is_a_get_without_body(caller: Any) -> None:
    path = f"/assistants/{await caller.assistant()}"
    head, get = await caller.http.head(path), await caller.http.get(path)
    assert (head.status_code, head.headers["content-length"]) == (200, get.headers["content-length"])
    assert (await caller.http.head("/assistants/unknown")).status_code == 404


async def test_every_reply_has_a_request_id_of_its_own(caller: Any) -> None:
    replies = [await caller.http.get(path) for path in ("/assistants", "/assistants", "/nothing", "/assistants/x")]
    ids = {reply.headers["x-request-id"] for reply in replies}
    assert len(ids) == 4
    assert all(each.startswith("req_") for each in ids)


async def test_a_chunked_body_is_counted_too(caller: Any, app: ASGIApp) -> None:
    async def pieces() -> Any:
        for _ in range(40):
            yield b" " * 32 * 1024

    before = await caller.rows()
    error = await caller.refused("POST", "/threads", 413, content=pieces(), headers=JSON)
    assert error["code"] == "request_too_large"
    assert await caller.rows() == before
