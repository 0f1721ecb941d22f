"""`/agents/v1`: answers as lines of JSON while they are written."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from agents_desk import Desk, client_call, lines_of, shown
from engine_world import new_id
from run_engine.domain.objects import Run
from starlette.types import ASGIApp
from streaming_caller import Streaming

STREAM = {"path": "/run/stream"}


@pytest_asyncio.fixture
async def desk(streaming: Streaming, app: ASGIApp) -> AsyncIterator[Desk]:
    desk = Desk(streaming, app)
    yield desk
    await desk.http.aclose()


async def told(asked: "asyncio.Task[httpx.Response]") -> list[Any]:
    reply = await asyncio.wait_for(asked, 10)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/x-ndjson"
    return lines_of(reply)


async def write(desk: Desk, run: Run, *texts: str) -> tuple[str, str]:
    """Begin a message and write in it, as its worker; return the ids of its step and of itself."""
    step_id, message_id = new_id("step"), new_id("message")
    await desk.streaming.open(run, step_id, message_id)
    await desk.streaming.write({"id": run.id}, step_id, 0, *texts)
    return step_id, message_id


async def test_an_answer_as_it_is_written(desk: Desk) -> None:
    await desk.begin("hi")
    asked = desk.asking(**STREAM)
    run = await desk.claim()
    step_id, message_id = await write(desk, run, "Zwei ", "Wochen 👋.")
    await desk.streaming.finish(run, step_id, message_id, "Zwei Wochen 👋.")
    lines = await told(asked)
    assert "".join(line["delta"]["content"] for line in lines) == "Zwei Wochen 👋."
    for line in lines:
        assert list(line) == ["created_at", "delta", "message_id", "thread_id"]
        assert list(line["delta"]) == ["content", "role", "sources"]
        assert (line["message_id"], line["thread_id"]) == (shown("message", message_id), desk.thread)
        assert (line["delta"]["role"], line["delta"]["sources"]) == ("assistant", [])
        assert line["created_at"].endswith("Z")
    (_, answer) = await desk.said()
    assert (answer["id"], answer["content"]) == (lines[0]["message_id"], "Zwei Wochen 👋.")


async def test_the_last_line_has_the_sources(desk: Desk) -> None:
    await desk.begin("hi")
    asked = desk.asking(**STREAM)
    run = await desk.claim()
    cited = {"type": "url_citation", "url_citation": {"url": "https://gesetze.example", "title": "BGB"}}
    await desk.finish(run, "Zwei Wochen.", annotations=[cited])
    *lines, last = await told(asked)
    assert [line["delta"]["content"] for line in lines] == ["Zwei Wochen."]
    source = {"document_title": "BGB", "section": "https://gesetze.example"}
    assert last["delta"] == {
        "content": "",
        "role": "assistant",
        "sources": [{"content": "https://gesetze.example", "meta_data": source}],
    }


async def test_calls_of_the_client_end_the_stream_and_the_next_one_tells_what_follows(desk: Desk) -> None:
    await desk.begin("hi", tools=[{"type": "function", "function": {"name": "f"}}])
    asked = desk.asking(**STREAM)
    call = client_call()
    await desk.park(await desk.claim(), call, said="Moment.")
    first, last = await told(asked)
    assert (first["delta"]["content"], last["delta"]["content"]) == ("Moment.", "")
    assert [each["id"] for each in last["delta"]["tool_calls"]] == [call.id]
    assert first["message_id"] == last["message_id"]
    await desk.say("42", role="tool", tool_call_id=call.id)
    await desk.finish(await desk.claim(), "Es sind 42.")
    lines = await told(desk.asking(**STREAM))
    assert "".join(line["delta"]["content"] for line in lines) == "Es sind 42.", "and nothing of before"
    assert lines[-1]["delta"]["sources"][0]["content"] == "42"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("rate_limit_exceeded", "rate_limit_gateway"), ("server_error", "internal_service_error")],
)
async def test_a_stream_that_fails_says_so_in_its_last_line(desk: Desk, code: str, expected: str) -> None:
    await desk.begin("hi")
    asked = desk.asking(**STREAM)
    run = await desk.claim()
    await write(desk, run, "Zwei ")
    await desk.fail(run, code)
    lines = await told(asked)
    assert "".join(line["delta"]["content"] for line in lines[:-1]) in {"", "Zwei "}
    assert list(lines[-1]) == ["error_code", "detail"]
    assert lines[-1]["error_code"] == expected
    assert "the model's own words" not in str(lines)


async def test_an_answer_that_is_begun_again_ends_the_stream(desk: Desk) -> None:
    await desk.begin("hi")
    asked = desk.asking(**STREAM)
    run = await desk.claim()
    await write(desk, run, "Zwei ")
    await desk.streaming.driving.hand_back(desk.caller.tenant, run.id, run.attempt)
    await desk.news(run)
    again = await desk.claim()
    await write(desk, again, "Nein: zwei ")
    lines = await told(asked)
    assert lines[-1]["error_code"] == "internal_service_error"
    assert not any("Nein" in str(line) for line in lines)
    joined = desk.asking(**STREAM)
    async with asyncio.timeout(10):
        while not desk.streaming.hub.listening(text=True):
            await asyncio.sleep(0.01)
    await desk.finish(again, "Nein: zwei Wochen.")
    assert "".join(line["delta"]["content"] for line in await told(joined)).endswith("Nein: zwei Wochen.")


async def test_a_thread_that_is_deleted_ends_the_stream(desk: Desk) -> None:
    await desk.begin("hi")
    asked = desk.asking(**STREAM)
    run = await desk.claim()
    assert (await desk.http.delete(f"/threads/{desk.thread}")).status_code == 204
    await desk.news(run)
    assert (await told(asked))[-1]["error_code"] == "thread_not_found"


@pytest.mark.parametrize("fields", [{"metadata": {"streaming": "off"}}, {"response_format": {"type": "json_object"}}])
async def test_answers_that_are_of_use_only_whole(desk: Desk, fields: Any) -> None:
    await desk.begin("hi", **fields)
    detail = await desk.refused(409, "engine_does_not_support_streaming", **STREAM)
    assert detail == (
        "The selected engine does not support streaming responses. Please use the non-streaming endpoint."
    )
    assert await desk.runs() == []
    asked = desk.asking()
    run = await desk.claim()
    await desk.refused(409, "engine_does_not_support_streaming", **STREAM)
    await desk.finish(run)
    assert (await asyncio.wait_for(asked, 10)).status_code == 200


async def test_refusals_come_before_the_stream(desk: Desk) -> None:
    await desk.begin()
    detail = await desk.refused(422, "validation_error", **STREAM)
    assert detail[0]["type"] == "no_user_message"


async def test_a_stream_with_a_key_is_the_same_stream(desk: Desk) -> None:
    await desk.begin("hi")
    key = {"idempotency_key": str(uuid.uuid4())}
    asked = desk.asking(**STREAM, **key)
    await desk.finish(await desk.claim())
    lines = await told(asked)
    again = await told(desk.asking(**STREAM, **key))
    assert [line["message_id"] for line in again] == [line["message_id"] for line in lines]
    assert "".join(line["delta"]["content"] for line in again) == "Zwei Wochen."
    assert len(await desk.runs()) == 1
