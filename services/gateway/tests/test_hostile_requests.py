"""What no honest client sends, to every operation: nothing of it is a 5xx, and every refusal is in the envelope."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
import raw_request
from conformance.served_document import ServedDocument
from gateway.entrypoints.http.openai.document.description import JSON, contents
from gateway.entrypoints.http.openai.document.operations import OPERATIONS
from starlette.types import ASGIApp

LABELS = [(method, path) for path, methods in OPERATIONS.items() for method in methods if path != "/openapi.json"]
WITH_BODY = [
    (path, told.body)
    for path, methods in OPERATIONS.items()
    for told in methods.values()
    if any(each.media_type == JSON for each in contents(told.body))
]
IDS = [
    "%00",
    "a%00b",
    "%ff%fe",
    "%ed%a0%80",
    "%f0%9f%8d%89",
    "..%2e",
    "%2e%2e",
    "%20",
    "'%20OR%201=1--",
    "%0d%0aX:%20y",
    "x" * 10_000,
    "%25" * 2_000,
    "{thread_id}",
]
TEXTS = ["", "0", "-1", "1e400", "NaN", str(2**63), "9" * 5_000, "%00", "%ff", "%ed%a0%80", "a&a&a", "x" * 50_000]
NAMES = [
    "limit",
    "order",
    "after",
    "before",
    "run_id",
    "thread_id",
    "purpose",
    "include[]",
    "last_event_id",
    "metadata[a]",
]
# As JSON, because much of it is nothing that JSON could be made from.
VALUES = [
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"' + "x" * 300_000 + '"',
    "1e400",
    "-1e400",
    "1e-400",
    "9" * 400,
    str(2**31),
    str(2**63),
    str(-(2**63) - 1),
    "-0",
    "0.1",
    "true",
    "null",
    "{}",
    "[]",
    '{"":""}',
    '[[],{},null,0,""]',
    '{"type":null}',
    '{"type":["function"]}',
    '[{"type":"function","function":{"name":"\\u0000"}}]',
    "[" * 99 + "]" * 99,
    '{"a":' * 99 + "1" + "}" * 99,
    "[" * 10_000 + "]" * 10_000,
    '{"a":' * 10_000 + "1" + "}" * 10_000,
    "[" + "{}," * 20_000 + "{}]",
    "{" + ",".join(f'"k{n}":"v"' for n in range(20_000)) + "}",
]
BODIES = [
    b"\xff\xfe\x00",
    b'\xef\xbb\xbf{"a": 1}',
    '{"metadata": {}}'.encode("utf-16"),
    b'{"metadata": {"a": "\xed\xa0\x80"}}',
    b'{"metadata": {"\xff": "x"}}',
    b"{}{}",
    b"{} x",
    b"{'a': 1}",
    b"\x00",
    b"[" * 10_000,
    b'{"a":' * 10_000,
    b'"' + b"\\" * 9_999,
    b"-",
    b"1e",
    b"nul",
    b"NaN",
    b"Infinity",
    b" " * 100_000,
]
HEADERS = [
    (b"idempotency-key", b""),
    (b"idempotency-key", b"\x00"),
    (b"idempotency-key", b"\xff\xfe"),
    (b"idempotency-key", b"k" * 256),
    (b"idempotency-key", b"k" * 60_000),
    (b"last-event-id", b"\xff:\xff.\xff"),
    (b"last-event-id", b"run_x:-1"),
    (b"last-event-id", b"run_x:" + b"9" * 5_000),
    (b"last-event-id", b"::::...."),
    (b"range", b"bytes=9-1,,-"),
    (b"range", b"bytes=" + b"9" * 5_000 + b"-"),
    (b"range", b"lines=\xff"),
    (b"openai-beta", b"\x00\xff"),
    (b"content-type", b""),
    (b"content-type", b"\xff/\xff"),
    (b"content-type", b"application/json; charset=utf-16"),
    (b"content-type", b"multipart/form-data"),
    (b"content-type", b"multipart/form-data; boundary=" + b"\xff" * 500),
    (b"content-type", b"text/html"),
    (b"accept", b"image/\xff"),
    (b"x-request-id", b"\x00\r\ninjected: yes"),
    (b"host", b"\xff"),
    (b"transfer-encoding", b"nonsense"),
]


class Enemy:
    """Knows objects that it can be hostile about, and sends whatever it wants."""

    def __init__(self, app: ASGIApp, caller: Any, described: ServedDocument) -> None:
        self._app, self._caller, self._described = app, caller, described
        self._ids: dict[str, str] = {}
        self.statuses: set[int] = set()

    async def prepare(self) -> None:
        run = await self._caller.run()
        messages = await self._caller.get(f"/threads/{run['thread_id']}/messages")
        upload = {"file": ("a.txt", b"content"), "purpose": (None, "assistants")}
        self._ids = {
            "assistant_id": run["assistant_id"],
            "thread_id": run["thread_id"],
            "run_id": run["id"],
            "message_id": messages["data"][0]["id"],
            "file_id": (await self._caller.http.post("/files", files=upload)).json()["id"],
            "step_id": "step_none",
            "model": "demo",
        }

    def path(self, template: str, **other: str) -> str:
        return template.format(**self._ids | other)

    async def sends(
        self, method: str, target: str, body: bytes = b"", *headers: tuple[bytes, bytes]
    ) -> raw_request.RawReply:
        given = {b"authorization": f"Bearer {self._caller.key}".encode(), b"content-type": b"application/json"}
        reply = await raw_request.send(self._app, method, target, headers=[*(given | dict(headers)).items()], body=body)
        self.statuses.add(reply.status)
        told = f"{method} {target:.300} {body!r:.300} {headers!r:.300} -> {reply.status} {reply.content!r:.300}"
        assert reply.status < 500, told
        self._described.check(method, target.partition("?")[0], reply.status, reply.headers, reply.content)
        assert self._described.problems == [], told
        return reply


@pytest_asyncio.fixture
async def enemy(app: ASGIApp, caller: Any, described: ServedDocument) -> Enemy:
    enemy = Enemy(app, caller, described)
    await enemy.prepare()
    return enemy


def variables(path: str) -> Iterator[str]:
    yield from (part.strip("{}") for part in path.split("/") if part.startswith("{"))


@pytest.mark.parametrize(("method", "path"), [each for each in LABELS if "{" in each[1]])
async def test_ids(enemy: Enemy, method: str, path: str) -> None:
    for name in variables(path):
        for value in IDS:
            await enemy.sends(method, enemy.path(path, **{name: value}), b"{}")
    assert enemy.statuses <= {400, 404}


@pytest.mark.parametrize("path", [path for method, path in LABELS if method == "GET"])
async def test_queries(enemy: Enemy, path: str) -> None:
    for name in NAMES:
        for text in TEXTS:
            await enemy.sends("GET", f"{enemy.path(path)}?{name}={text}")
    for query in ("&&&=&", "=", "%", "%zz", "limit", "limit=1&limit=\xff", "a=" * 20_000):
        await enemy.sends("GET", f"{enemy.path(path)}?{query}")


@pytest.mark.parametrize(("path", "body"), WITH_BODY)
async def test_values_of_fields(enemy: Enemy, path: str, body: Any) -> None:
    kind = contents(body)[0].kind
    needed = {name: '"x"' for name, field in kind.model_fields.items() if field.is_required()}
    for field in kind.model_fields:
        for value in VALUES:
            members = (needed | {field: value}).items()
            text = "{" + ",".join(f'"{name}":{each}' for name, each in members) + "}"
            await enemy.sends("POST", enemy.path(path), text.encode())
    assert 400 in enemy.statuses


@pytest.mark.parametrize(("path", "body"), WITH_BODY)
async def test_bodies(enemy: Enemy, path: str, body: Any) -> None:
    for content in BODIES:
        await enemy.sends("POST", enemy.path(path), content)
    # Of two members of one name the last counts, as everywhere.
    twice = await enemy.sends("POST", enemy.path(path), b'{"nothing": 1, "nothing": 2}')
    assert twice.status == 400


@pytest.mark.parametrize(("method", "path"), LABELS)
async def test_headers(enemy: Enemy, method: str, path: str) -> None:
    if method == "DELETE":
        path = path.removesuffix("}") + "}x"
    for header in HEADERS:
        reply = await enemy.sends(method, enemy.path(path), b"{}", header)
        assert "injected" not in reply.headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G\xffT", ""])
async def test_methods(enemy: Enemy, method: str) -> None:
    for path in OPERATIONS:
        reply = await enemy.sends(method, enemy.path(path), b"{}")
        assert reply.status in {404, 405}, (method, path)
        assert orjson.loads(reply.content)["error"]["type"] == "invalid_request_error"
