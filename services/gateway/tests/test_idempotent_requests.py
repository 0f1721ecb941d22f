"""Idempotency-Key: a POST that is repeated has one effect and gets its first reply, byte for byte."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from engine_world import answer, call, new_id
from event_bus.in_process import InProcessBus
from file_store import FileStore
from gateway.application.streams.hub import Hub
from gateway.bootstrap import use_cases
from gateway.entrypoints.http.app import build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.openai.surface import openai_surface
from gateway.entrypoints.http.openai.transfer import transfer_surface
from gateway.settings import GatewaySettings
from run_engine.domain.objects import Usage
from run_engine.process import EngineProcess
from run_engine.store.database import Database
from starlette.types import ASGIApp

_numbers = itertools.count()
RACES, DUPLICATES = 50, 50


def new_key() -> dict[str, str]:
    return {"idempotency-key": f"stainless-python-retry-{next(_numbers)}"}


class Request:
    """One POST, and another one to the same path."""

    def __init__(self, path: str, body: Any, other: Any) -> None:
        self.path = path
        self.body = body
        self.other = other


SAID = {"role": "user", "content": "hello"}
METADATA = {"metadata": {"a": "b"}}


async def create_assistant(_caller: Any) -> Request:
    return Request("/assistants", {"model": "demo"}, {"model": "other"})


async def modify_assistant(caller: Any) -> Request:
    return Request(f"/assistants/{await caller.assistant()}", {"name": "Ada"}, {"name": "Eva"})


async def create_thread(_caller: Any) -> Request:
    return Request("/threads", {"messages": [SAID]}, {"messages": [SAID, SAID]})


async def modify_thread(caller: Any) -> Request:
    return Request(f"/threads/{await caller.thread()}", METADATA, {"metadata": {}})


async def create_message(caller: Any) -> Request:
    return Request(f"/threads/{await caller.thread()}/messages", SAID, {**SAID, "content": "again"})


async def create_run(caller: Any) -> Request:
    body = {"assistant_id": await caller.assistant(), "additional_messages": [SAID]}
    return Request(f"/threads/{await caller.thread('hello')}/runs", body, body | METADATA)


async def create_thread_and_run(caller: Any) -> Request:
    body = {"assistant_id": await caller.assistant(), "thread": {"messages": [SAID]}}
    return Request("/threads/runs", body, body | METADATA)


async def modify_message(caller: Any) -> Request:
    thread_id = await caller.thread("hello")
    message = (await caller.get(f"/threads/{thread_id}/messages"))["data"][0]
    return Request(f"/threads/{thread_id}/messages/{message['id']}", METADATA, {"metadata": {}})


async def modify_run(caller: Any) -> Request:
    return Request(_path(await caller.run()), METADATA, {"metadata": {}})


async def cancel(caller: Any) -> Request:
    return Request(f"{_path(await caller.run())}/cancel", {}, {"a": "b"})


async def submit_tool_outputs(caller: Any) -> Request:
    run, asked = await caller.run(), call()
    claimed = await caller.worker.driving.claim(caller.tenant, run["id"])
    await caller.worker.driving.park(claimed, new_id("step"), [asked], Usage())
    body = {"tool_outputs": [{"tool_call_id": asked.id, "output": "x"}]}
    other = {"tool_outputs": [{"tool_call_id": asked.id, "output": "y"}]}
    return Request(f"{_path(run)}/submit_tool_outputs", body, other)


def _path(run: Any) -> str:
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


REQUESTS: dict[str, Callable[[Any], Awaitable[Request]]] = {
    "/v1/assistants": create_assistant,
    "/v1/assistants/{assistant_id}": modify_assistant,
    "/v1/threads": create_thread,
    "/v1/threads/{thread_id}": modify_thread,
    "/v1/threads/{thread_id}/messages": create_message,
    "/v1/threads/{thread_id}/messages/{message_id}": modify_message,
    "/v1/threads/{thread_id}/runs": create_run,
    "/v1/threads/runs": create_thread_and_run,
    "/v1/threads/{thread_id}/runs/{run_id}": modify_run,
    "/v1/threads/{thread_id}/runs/{run_id}/cancel": cancel,
    "/v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs": submit_tool_outputs,
}
APART = {"/v1/files", "/v1/import", "/v1/assistants/{assistant_id}/files"}
"""The first takes a form, the field facts do not know the second, and the last is of version 1."""


def test_every_post_is_tried_here(
    engine: EngineProcess, settings: GatewaySettings, stored: FileStore, hub: Hub
) -> None:
    cases = use_cases(engine, settings, stored, hub)
    surfaces = [openai_surface(cases, settings), transfer_surface(cases)]
    served = {path for surface in surfaces for path, handlers in surface.paths if "POST" in handlers}
    assert served == {*REQUESTS, *APART}
    assert all(surface.keyed is not None for surface in surfaces)


@pytest.mark.parametrize("prepare", REQUESTS.values(), ids=REQUESTS)
async def test_a_repetition_gets_the_first_reply(caller: Any, prepare: Any) -> None:
    request, key = await prepare(caller), new_key()
    first = await caller.http.post(request.path, json=request.body, headers=key)
    assert first.status_code == 200, first.text
    assert "idempotent-replayed" not in first.headers
    rows, keys = await caller.rows(), await caller.count("idempotency_keys")
    again = await caller.http.post(request.path, json=request.body, headers=key)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    for other in (
        {"json": request.other},
        {"content": first.request.content, "headers": {"content-type": "application/json; charset=utf-8"}},
        {"json": request.body, "params": {"a": "b"}},
    ):
        headers = key | other.pop("headers", {})
        reply = await caller.http.post(request.path, headers=headers, **other)
        error = reply.json()["error"]
        assert (reply.status_code, error["code"]) == (409, "idempotency_key_reused")
        assert error["message"].startswith("Idempotency-Key is already used: ")
        assert reply.headers["x-should-retry"] == "false", "the SDKs try again after a 409"
    assert (await caller.rows(), await caller.count("idempotency_keys")) == (rows, keys) == (rows, 1)


async def test_a_key_is_for_one_path_of_one_tenant(new_caller: Any) -> None:
    caller, stranger = await new_caller(), await new_caller()
    key, body = new_key(), METADATA
    paths = [f"/threads/{await caller.thread()}", f"/threads/{await caller.thread()}", "/threads"]
    replies = [await caller.http.post(path, json=body, headers=key) for path in paths]
    replies.append(await stranger.http.post("/threads", json=body, headers=key))
    assert [reply.status_code for reply in replies] == [200] * 4
    assert len({reply.json()["id"] for reply in replies}) == 4
    assert not any("idempotent-replayed" in reply.headers for reply in replies)


async def test_other_methods_and_requests_without_a_key_leave_no_trace(caller: Any) -> None:
    thread_id = await caller.thread("hello")
    assert (await caller.http.get(f"/threads/{thread_id}", headers=new_key())).status_code == 200
    key = new_key()
    assert (await caller.http.delete(f"/threads/{thread_id}", headers=key)).status_code == 200
    assert (await caller.http.delete(f"/threads/{thread_id}", headers=key)).status_code == 404
    assert await caller.count("idempotency_keys") == 0


@pytest.mark.parametrize("key", [b"", b"a" * 256, b"a\x00b", b"a\tb", b"\x7f", b"\x1b[0m"])
async def test_a_malformed_key(caller: Any, key: bytes) -> None:
    error = await caller.refused("POST", "/threads", headers={"idempotency-key": key})
    assert (error["code"], error["type"]) == ("invalid_idempotency_key", "invalid_request_error")
    assert error["message"].startswith("Invalid 'Idempotency-Key' header: expected 1 to 255 characters")
    assert await caller.count("threads") == 0


@pytest.mark.parametrize("key", [b"a", b"a" * 255, b'"8e03978e-40d5-43e8"', b"a b", "schlüssel".encode(), b"\xff\xfe"])
async def test_any_other_key(caller: Any, key: bytes) -> None:
    replies = [await caller.http.post("/threads", headers={"idempotency-key": key}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[0].content == replies[1].content
    assert await caller.count("threads") == 1


async def test_a_path_may_be_long(caller: Any) -> None:
    error = await caller.refused("POST", f"/threads/{'x' * 20_000}", 404, json=METADATA, headers=new_key())
    assert error["message"].startswith("No thread found")


async def test_a_refusal_leaves_the_key_free(caller: Any) -> None:
    run, key = await caller.run(), new_key()
    path, body = f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]}
    error = await caller.refused("POST", path, json=body, headers=key)
    assert "already has an active run" in error["message"]
    await caller.refused("POST", path, json={"assistant_id": "asst_x"}, headers=key, status=404)
    await caller.refused("POST", path, json={"assistant_id": 1}, headers=key)
    assert await caller.count("idempotency_keys") == 0
    claimed = await caller.worker.driving.claim(caller.tenant, run["id"])
    await caller.worker.driving.finish(claimed, answer())
    started = await caller.http.post(path, json=body, headers=key)
    assert (started.status_code, started.json()["status"]) == (200, "queued")
    assert (await caller.http.post(path, json=body, headers=key)).content == started.content
    assert await caller.count("runs") == 2


async def test_the_reply_stays_what_it_was(caller: Any) -> None:
    """Also when the run has gone on since: the client takes up where it was."""
    request, key = await create_thread_and_run(caller), new_key()
    started = await caller.http.post(request.path, json=request.body, headers=key)
    await caller.post(f"{_path(started.json())}/cancel")
    again = await caller.http.post(request.path, json=request.body, headers=key)
    assert again.content == started.content
    assert again.json()["status"] == "queued"


async def test_what_was_committed_with_a_key_is_published(caller: Any) -> None:
    assert (await caller.http.post("/threads", json={"messages": [SAID]}, headers=new_key())).status_code == 200
    async with asyncio.timeout(10):
        while await caller.count("outbox"):
            await asyncio.sleep(0.01)


async def test_an_import_is_one_too(caller: Any, app: ASGIApp) -> None:
    thread = await caller.get(f"/threads/{await caller.thread()}")
    body, key = {"objects": [thread | {"id": "thread_imported"}]}, new_key()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway/v1", headers=caller.http.headers
    ) as http:
        refused = await http.post("/import", json={"objects": [{"object": "thread"}]}, headers=key)
        first, again = [await http.post("/import", json=body, headers=key) for _ in range(2)]
        other = await http.post("/import", json={"objects": []}, headers=key)
    assert [reply.status_code for reply in (refused, first, again, other)] == [400, 200, 200, 409]
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_an_upload_is_one_file_however_its_form_is_written(caller: Any, settings: GatewaySettings) -> None:
    folder, key = settings.data_dir / "files", new_key()

    async def upload(content: bytes = b"abc", name: str = "a.txt", purpose: str = "assistants") -> httpx.Response:
        files = [("file", (name, content))]
        reply: httpx.Response = await caller.http.post("/files", data={"purpose": purpose}, files=files, headers=key)
        return reply

    first = await upload()
    assert first.status_code == 200, first.text
    stored = sorted(folder.rglob("*"))
    again = await upload()
    assert again.request.headers["content-type"] != first.request.headers["content-type"], "another boundary"
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    for other in (await upload(b"abd"), await upload(name="b.txt"), await upload(purpose="user_data")):
        assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    left = [path for path in folder.rglob("*") if path.is_file() and path not in stored]
    assert left == [], "the bytes of repetitions are gone"
    assert await caller.count("files") == 1
    assert await caller.count("loose_files") == 0


@pytest_asyncio.fixture
async def two_gateways(
    engine: EngineProcess, migrated_url: str, settings: GatewaySettings, stored: FileStore, hub: Hub, caller: Any
) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients of two gateways on one database: they do not know of each other."""
    bus = InProcessBus()
    await bus.start()
    database = await Database.connect(migrated_url, application_name="second", max_size=5)
    other = EngineProcess(database, bus.publisher, role="gateway")
    clients = []
    for process in (engine, other):
        surface = openai_surface(use_cases(process, settings, stored, hub), settings)
        app = build_app([surface], largest_body=settings.largest_body, draining=Draining())
        clients.append(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://gateway/v1", headers=caller.http.headers
            )
        )
    yield clients
    for client in clients:
        await client.aclose()
    await database.close()
    await bus.stop()


async def test_fifty_at_once_have_one_effect(caller: Any, two_gateways: list[httpx.AsyncClient]) -> None:
    assistant_id = await caller.assistant()
    for _ in range(RACES):
        key = new_key()
        body = {"assistant_id": assistant_id, "thread": {"messages": [SAID]}}
        replies = await asyncio.gather(
            *[
                two_gateways[place % 2].post("/threads/runs", json=body, headers=key, timeout=60)
                for place in range(DUPLICATES)
            ]
        )
        assert {(reply.status_code, reply.content) for reply in replies} == {(200, replies[0].content)}
        assert sum("idempotent-replayed" not in reply.headers for reply in replies) == 1
    rows = await caller.rows()
    assert (rows["runs"], rows["threads"], rows["messages"]) == (RACES, RACES, RACES)


async def test_fifty_different_ones_at_once_with_one_key(caller: Any, two_gateways: list[httpx.AsyncClient]) -> None:
    key = new_key()
    replies = await asyncio.gather(
        *[
            two_gateways[place % 2].post("/threads", json={"metadata": {"place": str(place)}}, headers=key)
            for place in range(DUPLICATES)
        ]
    )
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * (DUPLICATES - 1)
    assert await caller.count("threads") == 1


async def test_fifty_refusals_at_once_and_then_one_success(caller: Any, two_gateways: list[httpx.AsyncClient]) -> None:
    run, key = await caller.run(), new_key()
    path, body = f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]}
    replies = await asyncio.gather(
        *[two_gateways[place % 2].post(path, json=body, headers=key) for place in range(DUPLICATES)]
    )
    assert {reply.status_code for reply in replies} == {400}
    await caller.post(f"{_path(run)}/cancel")
    assert (await caller.http.post(path, json=body, headers=key)).status_code == 200
    assert await caller.count("runs") == 2
