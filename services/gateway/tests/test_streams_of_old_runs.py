"""Streams of runs whose events are not all stored: imported ones, and those that ended long ago."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest_asyncio
from conformance import api_objects
from engine_world import answer
from starlette.types import ASGIApp
from streaming_caller import ANSWERED, Streaming


async def test_an_imported_run_is_told_from_its_objects(streaming: Streaming, app: ASGIApp) -> None:
    await imported(streaming, app, *api_objects.everything())
    run = {"id": "run_abc123", "thread_id": "thread_abc123"}
    stream = streaming.events(run)
    names = await stream.end()
    assert names[:3] == ANSWERED[:3]
    assert names[-2:] == ["thread.run.completed", "done"]
    assert names.count("thread.message.completed") == 1
    assert names.count("thread.run.step.completed") == 2
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    assert await stream.sees("thread.run.completed") == await streaming.caller.get(path)
    message = await stream.sees("thread.message.completed")
    assert stream.text == message["content"][0]["text"]["value"]
    whole = stream.raw.split(b"\n\n")
    for place, last in enumerate(stream.ids[:-1]):
        rest = streaming.events(run, last)
        await rest.end()
        assert rest.raw == b"\n\n".join(whole[place + 1 :])


async def test_an_imported_run_that_waits_goes_on(streaming: Streaming, app: ASGIApp) -> None:
    step = api_objects.step(api_objects.function_call("call_1"), status="in_progress", completed_at=None, usage=None)
    await imported(streaming, app, step, api_objects.waiting("call_1"), api_objects.thread(), api_objects.assistant())
    run = {"id": "run_abc123", "thread_id": "thread_abc123"}
    whole = streaming.events(run)
    await whole.sees("thread.run.requires_action")
    assert whole.facts.names == [
        *ANSWERED[:5], "thread.run.step.delta", "thread.run.step.delta", "thread.run.requires_action"
    ]  # fmt: skip
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    outputs = [{"tool_call_id": "call_1", "output": "1"}]
    stream = streaming.request("POST", path, {"tool_outputs": outputs, "stream": True})
    await stream.sees("thread.run.queued")
    await streaming.driving.finish(await streaming.claim(run), answer("There."))
    expected = ["thread.run.step.completed", "thread.run.queued", *ANSWERED[2:]]
    assert await stream.end() == expected
    assert (await whole.end())[-len(expected) :] == expected
    late = streaming.events(run)
    names = await late.end()
    assert names[-2:] == ["thread.run.completed", "done"]
    assert names.count("thread.message.delta") == 1


async def test_a_run_whose_events_are_forgotten(streaming: Streaming, database_of: Any) -> None:
    _, run = await streaming.answered("Hel", "lo")
    await database_of("DELETE FROM run_events WHERE tenant_id = $1 AND run_id = $2 AND seq < 4", run["id"])
    again = streaming.events(run)
    assert await again.end() == ANSWERED
    assert again.text == "Hello"


async def imported(streaming: Streaming, app: ASGIApp, *objects: Any) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway/v1", headers=streaming.caller.http.headers
    ) as http:
        reply = await http.post("/import", json={"objects": list(objects)})
    assert reply.status_code == 200, reply.text


@pytest_asyncio.fixture
async def database_of(migrated_url: str, caller: Any) -> AsyncIterator[Any]:
    """Runs a statement about the caller's rows behind the engine's back."""
    connection = await asyncpg.connect(migrated_url)

    async def execute(statement: str, *values: Any) -> None:
        await connection.execute(statement, caller.tenant, *values)

    yield execute
    await connection.close()
