"""Objects of another installation over HTTP: kept to the last field, refused with reasons, and given back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from threading import Event
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from conformance import api_objects
from engine_world import answer, call, new_id
from gateway.entrypoints.http.openai.operations import imports
from gateway.entrypoints.http.openai.requests.imports import objects_in
from run_engine.domain.objects import Usage
from run_engine.store.tenants import Tenants
from starlette.types import ASGIApp

LINES = {"content-type": "application/x-ndjson"}


class Mover:
    """A tenant that imports and exports; the field facts know neither, so its client is held to the document alone."""

    def __init__(self, caller: Any, app: ASGIApp) -> None:
        self.caller = caller
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway/v1",
            headers={"authorization": f"Bearer {caller.key}"},
            event_hooks={"response": [caller.described.sees_async]},
        )

    async def sends(self, *objects: Any) -> httpx.Response:
        return await self.http.post("/import", json={"objects": list(objects)})

    async def imports(self, *objects: Any) -> Any:
        response = await self.sends(*objects)
        assert response.status_code == 200, response.text
        return response.json()

    async def refused(self, *objects: Any) -> list[tuple[int, str | None, str | None]]:
        """Place, field and code of every refusal. Nothing may have been written."""
        before = await self.caller.rows()
        response = await self.sends(*objects)
        assert response.status_code == 400, response.text
        assert await self.caller.rows() == before
        body = response.json()
        assert set(body["imported"].values()) == {0}
        error, first = body["error"], body["refused"][0]
        assert (error["type"], error["code"]) == ("invalid_request_error", "import_refused")
        place = f"objects[{first['index']}]"
        assert error["param"] == (f"{place}.{first['error']['param']}" if first["error"]["param"] else place)
        assert first["error"]["message"] in error["message"]
        return [(each["index"], each["error"]["param"], each["error"]["code"]) for each in body["refused"]]

    async def exported(self, **query: str) -> bytes:
        response = await self.http.get("/export", params=query)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/x-ndjson"
        return response.content


@pytest_asyncio.fixture
async def new_mover(
    new_caller: Callable[[], Awaitable[Any]], app: ASGIApp
) -> AsyncIterator[Callable[[], Awaitable[Mover]]]:
    made: list[Mover] = []

    async def make() -> Mover:
        made.append(Mover(await new_caller(), app))
        return made[-1]

    yield make
    for mover in made:
        await mover.http.aclose()


@pytest_asyncio.fixture
async def mover(new_mover: Callable[[], Awaitable[Mover]]) -> Mover:
    return await new_mover()


async def test_the_api_returns_objects_as_they_were_imported(mover: Mover) -> None:
    assert await mover.imports(*api_objects.everything()) == {
        "object": "import",
        "imported": {
            "assistant": 1, "file": 1, "thread": 1, "thread.message": 1, "thread.run": 1, "thread.run.step": 2,
        },
        "refused": [],
        "ignored_fields": {},
    }  # fmt: skip
    get = mover.caller.get
    assert await get("/assistants/asst_abc123") == api_objects.assistant()
    assert await get("/files/file-abc123") == api_objects.file()
    assert await get("/threads/thread_abc123") == api_objects.thread()
    assert await get("/threads/thread_abc123/messages/msg_abc123") == api_objects.message()
    assert await get("/threads/thread_abc123/runs/run_abc123") == api_objects.run()
    steps = "/threads/thread_abc123/runs/run_abc123/steps"
    assert await get(f"{steps}/step_abc123") == api_objects.step()
    assert await get(f"{steps}/step_writing") == api_objects.writing()
    assert (await get(steps, order="asc"))["data"] == [api_objects.step(), api_objects.writing()]


@pytest.mark.parametrize("status", [
    "queued", "in_progress", "cancelling", "cancelled", "failed", "completed", "incomplete", "expired",
])  # fmt: skip
async def test_runs_come_back_in_every_status(mover: Mover, status: str) -> None:
    active = status in {"queued", "in_progress", "cancelling"}
    run = api_objects.run(
        status=status,
        usage=None if active else api_objects.usage(),
        last_error={"code": "invalid_prompt", "message": "no"} if status == "failed" else None,
        incomplete_details={"reason": "max_prompt_tokens"} if status == "incomplete" else None,
        cancelled_at=api_objects.BEGAN if status == "cancelled" else None,
        expires_at=api_objects.BEGAN + 600,
    )
    await mover.imports(run, api_objects.thread())
    assert await mover.caller.get("/threads/thread_abc123/runs/run_abc123") == run


async def test_a_message_comes_back_in_every_status(mover: Mover) -> None:
    messages = [
        api_objects.message(id="msg_1", status="in_progress", completed_at=None, content=[]),
        api_objects.message(
            id="msg_2", status="incomplete", completed_at=None, incomplete_at=5,
            incomplete_details={"reason": "run_expired"},
        ),
        api_objects.message(id="msg_3", role="user", completed_at=None, assistant_id=None, run_id=None, attachments=[]),
    ]  # fmt: skip
    await mover.imports(*messages, api_objects.thread())
    assert (await mover.caller.get("/threads/thread_abc123/messages", order="asc"))["data"] == messages


async def test_what_may_be_missing_is_filled_in(mover: Mover) -> None:
    await mover.imports(
        {"id": "a", "object": "assistant", "created_at": 1, "model": "m"},
        {"id": "t", "object": "thread", "created_at": 1},
        {"id": "m", "object": "thread.message", "created_at": 1, "thread_id": "t", "role": "user", "content": []},
        {
            "id": "r", "object": "thread.run", "created_at": 1, "thread_id": "t", "assistant_id": "a", "model": "m",
            "status": "failed", "instructions": None, "truncation_strategy": None, "tool_choice": None,
        },
        {
            "id": "s", "object": "thread.run.step", "created_at": 1, "thread_id": "t", "assistant_id": "a",
            "run_id": "r", "type": "tool_calls", "status": "failed",
            "step_details": {"type": "tool_calls", "tool_calls": []}, "metadata": None,
        },
    )  # fmt: skip
    assert (await mover.caller.get("/threads/t/messages/m"))["status"] == "completed"
    run = await mover.caller.get("/threads/t/runs/r")
    assert run["truncation_strategy"] == {"type": "auto", "last_messages": None}
    assert (run["tool_choice"], run["usage"]) == ("auto", None)
    assert (await mover.caller.get("/threads/t/runs/r/steps/s"))["usage"] is None
    assert (await mover.caller.get("/assistants/a"))["tools"] == []


@pytest.mark.parametrize("shape", ["lines", "lines without their type", "one line", "crlf"])
async def test_lines_are_taken_like_a_list(mover: Mover, shape: str) -> None:
    objects = [api_objects.thread()] if shape == "one line" else api_objects.everything()
    body = b"\n".join(orjson.dumps(each) for each in objects) + b"\n\n"
    if shape == "crlf":
        body = body.replace(b"\n", b"\r\n")
    form = {"content-type": "application/x-www-form-urlencoded"}
    response = await mover.http.post("/import", content=body, headers=LINES if shape == "lines" else form)
    assert sum(response.json()["imported"].values()) == len(objects)


async def test_a_line_that_is_no_json_is_one_of_the_refused(mover: Mover) -> None:
    body = orjson.dumps(api_objects.thread()) + b'\n\n{"id": \n'
    response = await mover.http.post("/import", content=body, headers=LINES)
    [refused] = response.json()["refused"]
    assert (refused["index"], refused["id"], refused["object"]) == (1, None, None)
    assert refused["error"]["message"].startswith("Line 3 is no JSON: ")


@pytest.mark.parametrize(("body", "param"), [
    (b"", "objects"), (b"{}", "objects"), (b'{"objects": 1}', "objects"), (b"[1]", None), (b"not json", None),
    (b'{"object": "list", "data": []}', "objects"), (b'{"objects": [' + b",".join([b"1"] * 10_001) + b"]}", "objects"),
])  # fmt: skip
async def test_bodies_that_hold_no_objects_are_refused(mover: Mover, body: bytes, param: str | None) -> None:
    response = await mover.http.post("/import", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert set(response.json()) == {"error"}
    assert response.json()["error"]["param"] == param


async def test_an_empty_import_imports_nothing(mover: Mover) -> None:
    assert set((await mover.imports())["imported"].values()) == {0}


async def test_fields_that_nobody_knows_are_named_and_left_out(mover: Mover) -> None:
    report = await mover.imports(api_objects.thread(file_ids=[]), api_objects.message(file_ids=[], extra=1))
    assert report["ignored_fields"] == {"thread": ["file_ids"], "thread.message": ["extra", "file_ids"]}


async def test_every_refused_object_is_named_with_its_reason(mover: Mover) -> None:
    nested: Any = "x"
    for _ in range(120):
        nested = [nested]
    found = await mover.refused(
        api_objects.thread(),
        1,
        {"id": "x"},
        {"object": 1},
        {"id": "x", "object": "vector_store"},
        api_objects.thread(id="no id"),
        api_objects.thread(id="x" * 65),
        api_objects.thread(id="thread_2", created_at=1.5),
        api_objects.thread(id="thread_3", metadata={"a": 1}),
        api_objects.message(content=[{"type": "text", "text": "bare"}]),
        api_objects.message(content=[{"type": "audio"}]),
        api_objects.message(content="bare"),
        api_objects.message(metadata={"a": "\0"}),
        api_objects.message(deep=nested),
        api_objects.run(status="requires_action"),
        api_objects.run(required_action=api_objects.waiting()["required_action"]),
        api_objects.run(status="awaiting_tools"),
        api_objects.step(type="message_creation"),
        api_objects.step({"id": "c", "type": "web_search"}),
        api_objects.run(model=None),
        {key: value for key, value in api_objects.run().items() if key != "thread_id"},
        api_objects.assistant(tools=[{"type": "retrieval"}]),
        api_objects.file(purpose="fun"),
        api_objects.message(status="in_progress", run_id="r" * 257),
        api_objects.step(usage=api_objects.usage(prompt_tokens=2**31)),
    )
    assert found == [
        (1, None, "invalid_type"),
        (2, "object", "missing_required_parameter"),
        (3, "object", "invalid_type"),
        (4, "object", "invalid_value"),
        (5, "id", "invalid_value"),
        (6, "id", "string_above_max_length"),
        (7, "created_at", "invalid_type"),
        (8, "metadata.a", "invalid_type"),
        (9, "content[0].text", "invalid_type"),
        (10, "content[0].type", "invalid_value"),
        (11, "content", "invalid_type"),
        (12, "metadata.a", "invalid_value"),
        (13, None, "invalid_value"),
        (14, "required_action", "invalid_value"),
        (15, "required_action", "invalid_value"),
        (16, "status", "invalid_value"),
        (17, "step_details.type", "invalid_value"),
        (18, "step_details.tool_calls[0].type", "invalid_value"),
        (19, "model", "invalid_type"),
        (20, "thread_id", "missing_required_parameter"),
        (21, "tools[0].type", "invalid_value"),
        (22, "purpose", "invalid_value"),
        (23, "run_id", "string_above_max_length"),
        (24, "usage.prompt_tokens", "integer_above_max_value"),
    ]


async def test_what_does_not_fit_what_is_stored_is_named_with_its_reason(mover: Mover) -> None:
    live = await mover.caller.run()
    thread_id, run_id = live["thread_id"], live["id"]
    await mover.imports(*api_objects.everything())
    other = {"thread_id": thread_id}
    assert await mover.refused(
        api_objects.message(id="msg_new", thread_id="thread_none"),
        api_objects.run(id="run_new", thread_id="thread_none"),
        api_objects.step(id="step_new", run_id="run_none"),
        api_objects.run(id=run_id, **other),
        api_objects.run(id="run_2", status="queued", usage=None, **other),
        api_objects.message(id="msg_2", **other),
        api_objects.run(**other),
        api_objects.thread(id="thread_2"),
        api_objects.thread(id="thread_2", created_at=5),
    ) == [
        (0, "thread_id", "not_found"),
        (1, "thread_id", "not_found"),
        (2, "run_id", "not_found"),
        (3, "id", "made_here"),
        (4, "thread_id", "thread_locked"),
        (5, "thread_id", "thread_locked"),
        (6, "thread_id", "belongs_elsewhere"),
        (8, "id", "duplicate"),
    ]
    stored, new = api_objects.function_call(), api_objects.function_call("call_new")
    found = await mover.refused(api_objects.step(stored, id="step_2"), api_objects.step(new, new, id="step_3"))
    assert found == [(0, "step_details.tool_calls", "belongs_elsewhere"), (1, "step_details.tool_calls", "duplicate")]


async def test_calls_in_two_steps_are_refused(mover: Mover) -> None:
    first = api_objects.step(api_objects.function_call("call_a"), status="in_progress")
    run = api_objects.waiting("call_a", "call_b")
    assert await mover.refused(api_objects.thread(), run, first) == [(1, "required_action", "calls_scattered")]


async def test_only_keys_for_administration_import_and_export(mover: Mover) -> None:
    tenants = Tenants(mover.caller.database)
    for scope, allowed in (("api", False), ("events", False), ("admin", True)):
        key = f"sk-{scope}-{mover.caller.tenant}"
        await tenants.add_key(f"{scope}-{mover.caller.tenant}", mover.caller.tenant, key, "for tests", [scope])
        headers = {"authorization": f"Bearer {key}"}
        for response in (
            await mover.http.post("/import", json={"objects": []}, headers=headers),
            await mover.http.get("/export", headers=headers),
        ):
            assert response.status_code == (200 if allowed else 401)
            if not allowed:
                assert response.json()["error"]["message"].endswith("Missing scopes: admin.")
        # An administrator's key opens nothing else.
        assert (await mover.http.get("/assistants", headers=headers)).status_code == (200 if scope == "api" else 401)
    for path, method in (("/import", "GET"), ("/export", "POST")):
        assert (await mover.http.request(method, path)).status_code == 405


async def test_a_repeated_import_with_an_idempotency_key_has_the_same_reply(mover: Mover) -> None:
    headers = {"idempotency-key": "once"}
    bodies = [
        await mover.http.post("/import", json={"objects": [api_objects.thread()]}, headers=headers) for _ in range(2)
    ]
    assert bodies[0].content == bodies[1].content
    refused = await mover.http.post(
        "/import", json={"objects": [api_objects.thread(id="t2"), 1]}, headers={"idempotency-key": "twice"}
    )
    assert refused.status_code == 400
    assert (await mover.http.get("/threads/t2")).status_code == 404


async def test_an_export_is_taken_back_and_comes_out_the_same(new_mover: Callable[[], Awaitable[Mover]]) -> None:
    mover, other, third = await new_mover(), await new_mover(), await new_mover()
    caller = mover.caller
    run = await caller.run(metadata={"a": "b"}, temperature=0.3)
    driving = caller.worker.driving
    claimed = await driving.claim(caller.tenant, run["id"])
    asked = call()
    await driving.park(claimed, new_id("step"), [asked], Usage(prompt_tokens=5, completion_tokens=2))
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    await caller.post(f"{path}/submit_tool_outputs", {"tool_outputs": [{"tool_call_id": asked.id, "output": "42"}]})
    claimed = await driving.claim(caller.tenant, run["id"])
    await driving.finish(claimed, answer("the answer"))
    waits = await caller.run()
    claimed = await driving.claim(caller.tenant, waits["id"])
    await driving.park(claimed, new_id("step"), [call(), call()], Usage())
    await caller.run()
    await mover.imports(*api_objects.everything())
    await mover.imports(*(api_objects.thread(id=f"thread_{number}") for number in range(70)))

    exported = await mover.exported()
    assert exported.count(b"\n") == 6 + 2 + 3 + 70 + 3 + 3 * 2 + 3
    report = await other.http.post("/import", content=exported, headers=LINES)
    assert report.status_code == 200, report.text
    assert await other.exported() == exported
    # In any pieces, one after another.
    lines = exported.splitlines(keepends=True)
    for start in range(0, len(lines), 7):
        piece = await third.http.post("/import", content=b"".join(lines[start : start + 7]), headers=LINES)
        assert piece.status_code == 200, piece.text
    assert await third.exported() == exported
    for line in lines:
        shown = orjson.loads(line)
        if shown["object"] == "thread.run":
            assert await other.caller.get(f"/threads/{shown['thread_id']}/runs/{shown['id']}") == shown


async def test_a_run_with_all_the_instructions_it_can_have_is_taken_back(
    new_mover: Callable[[], Awaitable[Mover]],
) -> None:
    mover, other = await new_mover(), await new_mover()
    body = {"assistant_id": await mover.caller.assistant(), "instructions": "x" * 256_000}
    path = f"/threads/{await mover.caller.thread()}/runs"
    run = await mover.caller.post(path, body | {"additional_instructions": "y" * 256_000})
    assert len(run["instructions"]) == 512_002
    report = await other.http.post("/import", content=await mover.exported(), headers=LINES)
    assert report.status_code == 200, report.text


async def test_others_are_served_while_an_import_is_checked(mover: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, served = Event(), Event()

    def slow(body: bytes) -> Any:
        begun.set()
        assert served.wait(10), "nobody was served"
        return objects_in(body)

    monkeypatch.setattr(imports, "objects_in", slow)
    importing = asyncio.create_task(mover.imports(api_objects.thread()))
    assert await asyncio.to_thread(begun.wait, 10)
    await mover.caller.get("/assistants")
    served.set()
    assert (await importing)["imported"]["thread"] == 1


async def test_one_thread_is_exported_alone(mover: Mover) -> None:
    await mover.imports(*api_objects.everything(), api_objects.thread(id="thread_other"))
    lines = (await mover.exported(thread_id="thread_abc123")).splitlines()
    assert [orjson.loads(line) for line in lines] == [
        api_objects.thread(), api_objects.message(), api_objects.run(), api_objects.step(), api_objects.writing(),
    ]  # fmt: skip
    missing = await mover.http.get("/export", params={"thread_id": "thread_none"})
    assert (missing.status_code, missing.json()["error"]["message"]) == (
        404,
        "No thread found with id 'thread_none'.",
    )
    assert (await mover.http.get("/export", params={"thread_id": "no id"})).status_code == 404
    assert (await mover.http.head("/export")).status_code == 200


async def test_nothing_at_all_is_exported_as_nothing(mover: Mover) -> None:
    assert await mover.exported() == b""


async def test_an_imported_run_is_answered_over_the_api(mover: Mover) -> None:
    calls = [api_objects.function_call("call_a"), api_objects.function_call("call_b")]
    step = api_objects.step(*calls, status="in_progress", completed_at=None, usage=None)
    await mover.imports(api_objects.waiting("call_a", "call_b"), step, api_objects.thread(), api_objects.message())
    caller, path = mover.caller, "/threads/thread_abc123/runs/run_abc123"
    assert await caller.get(path) == api_objects.waiting("call_a", "call_b")
    outputs = [{"tool_call_id": f"call_{name}", "output": name} for name in "ab"]
    wrong = await caller.refused("POST", f"{path}/submit_tool_outputs", json={"tool_outputs": outputs[:1]})
    assert wrong["message"] == "Expected tool outputs for call_ids ['call_a', 'call_b'], got ['call_a']"
    assert (await caller.post(f"{path}/submit_tool_outputs", {"tool_outputs": outputs}))["status"] == "queued"
    claimed = await caller.worker.driving.claim(caller.tenant, "run_abc123")
    await caller.worker.driving.finish(claimed, answer("done"))
    ended = await caller.get(path)
    assert (ended["status"], ended["expires_at"]) == ("completed", None)
    assert (await caller.get(f"{path}/steps", order="asc"))["data"][0]["step_details"]["tool_calls"] == [
        api_objects.function_call("call_a", "a"), api_objects.function_call("call_b", "b"),
    ]  # fmt: skip


async def test_what_was_imported_can_be_changed_and_deleted(mover: Mover) -> None:
    await mover.imports(*api_objects.everything())
    caller, thread = mover.caller, "/threads/thread_abc123"
    changed = {"metadata": {"new": "x"}}
    for path in ("/assistants/asst_abc123", thread, f"{thread}/runs/run_abc123"):
        assert (await caller.post(path, changed))["metadata"]["new"] == "x"
    run = await caller.post(f"{thread}/runs", {"assistant_id": "asst_abc123"})
    assert run["status"] == "queued"
    error = await caller.refused("POST", f"{thread}/messages", json={"role": "user", "content": "x"})
    assert error["message"] == f"Can't add messages to thread_abc123 while a run {run['id']} is active."
    await caller.post(f"{thread}/runs/{run['id']}/cancel")
    for path in ("/assistants/asst_abc123", "/files/file-abc123", thread):
        assert (await caller.delete(path))["deleted"] is True
    assert await mover.exported() == b""
