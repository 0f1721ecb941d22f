"""Whatever is sent to Owlie, the reply is a refusal with a sentence, and never an error of the server."""

from typing import Any

import orjson
import pytest
from gateway.entrypoints.http.owlie.requests import LARGEST_BODY, LONGEST_TEXT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BODIES: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b"{",
    b'"text"',
    b"1e999",
    b"\xff\xfe",
    b'{"content": "a\\u0000b", "assistant_id": "x"}',
    b'{"content": "\\ud800", "assistant_id": "x"}',
    b'{"content": ["x"], "assistant_id": {}}',
    b'{"content": 1e400}',
    b'{"assistant_id": 1, "thread_id": null, "courseid": -1}',
    b'[{"tool_id": "x"}]',
    b'[{"tool_id": "a\\u0000", "output": "x"}]',
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b'{"content": "' + b"x" * 300_000 + b'", "assistant_id": "x"}',
]
POSTS = [
    "/api/new",
    "/api/threads/{thread}",
    "/api/threads/{thread}/send_and_wait",
    "/api/threads/{thread}/send_and_stream",
    "/api/threads/{thread}/runs/run_1/tool",
    "/api/change_thread",
    "/api/tools/get_moodle_course_content",
    "/api/upload",
]
GETS = [
    "/api/threads/{thread}/stream",
    "/api/threads/{thread}/runs/run_1",
    "/api/runs/{thread}/run_1",
    "/api/courses",
    "/api/get_assistant_ids",
]


def is_refused(response: Any) -> None:
    assert 400 <= response.status_code < 500, response.text
    (member,) = response.json()
    assert member in {"detail", "error"}
    assert isinstance(response.json()[member], str)
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("path", POSTS)
async def test_bodies(caller: Any, new_owlie: Any, path: str) -> None:
    owlie = new_owlie(owlie_requests_per_minute=0)
    known = path.format(thread=owlie.ids.token("thread", await caller.thread()))
    for body in BODIES:
        is_refused(await owlie.http.post(known, content=body, headers={"content-type": "application/json"}))
    is_refused(await owlie.http.post(known, content=b"x" * 2 * 1024 * 1024))
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        is_refused(await owlie.http.request(method, known))
    assert await caller.count("runs") == 0


async def test_bodies_have_a_size_of_their_own(caller: Any, new_owlie: Any) -> None:
    owlie = new_owlie(owlie_requests_per_minute=0, largest_body=16 * 1024 * 1024)
    thread = owlie.ids.token("thread", await caller.thread())
    longest = "x" * LONGEST_TEXT
    escaped = orjson.dumps({"assistant_id": "x", "content": longest}).replace(b"xx", b"\\ud83d\\ude00" * 2)
    await owlie.refused("POST", f"/api/threads/{thread}", 404, content=escaped)
    body = b'{"content": "x", "more": [' + b"[]," * (LARGEST_BODY // 3) + b"[]]}"
    assert str(LARGEST_BODY) in await owlie.refused("POST", f"/api/threads/{thread}", 413, content=body)


@pytest.mark.parametrize("token", ["", "x" * 5000, "gAAAAA" + "A" * 200_000, "ü", "\n"])
async def test_whatever_is_no_token_stands_for_nothing(owlie: Any, token: str) -> None:
    await owlie.refused("POST", "/api/new", 404, json={"assistant_id": token})
    thread = owlie.ids.token("thread", "thread_1")
    await owlie.refused("POST", "/api/change_thread", 404, json={"thread_id": token, "assistant_id": token})
    await owlie.refused("POST", f"/api/threads/{thread}", 404, json={"content": "x", "assistant_id": token})
    query = {"message": "x", "assistant_id": token[:5000]}
    await owlie.refused("GET", f"/api/threads/{thread}/stream", 404, params=query)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.binary(max_size=60), place=st.sampled_from(GETS))
async def test_queries(new_owlie: Any, query: bytes, place: str) -> None:
    owlie = new_owlie(owlie_requests_per_minute=0)
    path = place.format(thread=owlie.ids.token("thread", "thread_1"))
    for raw in (query, b"message=%00&university=%ff&course_name=%ed%a0%80&mode_name=%00&degree=" + query):
        encoded = "".join(f"%{byte:02x}" if not 33 <= byte <= 126 or byte in b"#%" else chr(byte) for byte in raw)
        is_refused(await owlie.http.get(f"{path}?{encoded}"))


@pytest.mark.parametrize("path", ["/api/threads/%2e%2e", "/api/threads/a%2fb", "/api/threads/%00", "/api/runs/x/%ff"])
async def test_paths(owlie: Any, path: str) -> None:
    is_refused(await owlie.http.get(path))
