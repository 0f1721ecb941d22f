"""Streams over HTTP, on a real database and a slot of the in-process bus, with the engine's own worker."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from engine_world import answer, call, new_id, text
from run_engine.domain.objects import Usage
from run_engine.store.driving import Said
from streaming_caller import ANSWERED, Streaming


async def test_an_answer_as_it_is_written(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    assert stream.facts.names == ANSWERED[:2], "before anything else has happened"
    claimed = await streaming.claim(run)
    assert claimed.stream_slots == {streaming.hub.slot}
    await stream.sees("thread.run.in_progress")
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await stream.sees("thread.message.in_progress")
    for place, each in enumerate(("Hel", "lo\u2028", "wörld 💬\x85")):
        await streaming.write(run, step_id, [0, 3, 6][place], each)
        await stream.sees("thread.message.delta", place + 1)
    await streaming.finish(claimed, step_id, message_id, "Hello\u2028wörld 💬\x85!")
    names = await stream.end()
    assert names == [*ANSWERED[:7], *["thread.message.delta"] * 4, *ANSWERED[8:]]
    assert stream.text == "Hello\u2028wörld 💬\x85!"
    first = await stream.sees("thread.message.delta")
    assert first["delta"]["content"] == [{"index": 0, "type": "text", "text": {"value": "Hel", "annotations": []}}]
    assert not {"\u2028", "\x85"} & set(stream.raw.decode()), "readers of lines may cut there"
    assert stream.raw.endswith(b"\n\n")
    assert {name: stream.headers[name] for name in ("content-type", "cache-control", "x-accel-buffering")} == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
    }
    assert stream.headers["x-request-id"].startswith("req_")
    assert "content-length" not in stream.headers
    path = f"/threads/{run['thread_id']}"
    assert await stream.sees("thread.run.completed") == await streaming.caller.get(f"{path}/runs/{run['id']}")
    assert await stream.sees("thread.message.completed") == (await streaming.caller.get(f"{path}/messages"))["data"][0]
    step = (await streaming.caller.get(f"{path}/runs/{run['id']}/steps"))["data"][0]
    assert await stream.sees("thread.run.step.completed") == step


async def test_without_a_word_from_the_worker_the_database_tells_it_all(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.driving.claim(streaming.caller.tenant, run["id"])
    await stream.sees("thread.run.in_progress")
    await streaming.driving.finish(claimed, answer("all at once"))
    assert await stream.end() == ANSWERED
    assert stream.text == "all at once"


async def test_a_thread_and_its_run(streaming: Streaming) -> None:
    resources = {"code_interpreter": {"file_ids": []}}
    body = {
        "assistant_id": await streaming.caller.assistant(),
        "thread": {
            "messages": [{"role": "user", "content": "hello"}], "metadata": {"a": "b"}, "tool_resources": resources
        },
        "stream": True,
    }  # fmt: skip
    stream = streaming.request("POST", "/threads/runs", body)
    run = await stream.sees("thread.run.queued")
    await streaming.driving.finish(await streaming.claim(run), answer("hi"))
    assert await stream.end() == ["thread.created", *ANSWERED]
    assert stream.facts.events[0][1] == await streaming.caller.get(f"/threads/{run['thread_id']}")


async def test_calls_of_tools_then_the_answer(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.claim(run)
    message_step, message_id, step_id = new_id("step"), new_id("message"), new_id("step")
    await streaming.open(claimed, message_step, message_id)
    await streaming.write(run, message_step, 0, "Let me", " see.")
    await stream.sees("thread.message.delta")
    await streaming.driving.say(claimed, Said(step_id=message_step, message_id=message_id, content=text("Let me see.")))
    first, second = call(), call()
    await streaming.open(claimed, step_id, None)
    for place, each in enumerate((first, second)):
        begins = {"id": each.id, "name": each.name}
        await streaming.write(run, step_id, 0, "", part=place, call=begins)
        await streaming.write(run, step_id, 0, "{", "}", part=place)
    await streaming.driving.park(claimed, step_id, [first, second], Usage(prompt_tokens=1, completion_tokens=1))
    await streaming.send({"seq": claimed.seq + 6}, run)
    names = await stream.end()
    assert names[-2:] == ["thread.run.requires_action", "done"]
    assert names.count("thread.run.step.in_progress") == 2, "one of the message and one of the calls"
    required = await stream.sees("thread.run.requires_action")
    assert required == await streaming.caller.get(f"/threads/{run['thread_id']}/runs/{run['id']}")

    whole = streaming.events(run)
    await whole.sees("thread.run.requires_action")
    outputs = [{"tool_call_id": each.id, "output": "1"} for each in (first, second)]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    refused = await streaming.caller.refused("POST", path, json={"tool_outputs": outputs[:1], "stream": True})
    assert "Expected tool outputs" in refused["message"]
    more = streaming.request("POST", path, {"tool_outputs": outputs, "stream": True})
    await more.sees("thread.run.queued")
    claimed = await streaming.claim(run)
    await streaming.driving.finish(claimed, answer("There."))
    expected = ["thread.run.step.completed", "thread.run.queued", *ANSWERED[2:]]
    assert await more.end() == expected
    assert [each["function"]["output"] for each in more.facts.events[0][1]["step_details"]["tool_calls"]] == ["1", "1"]
    told = await whole.end()
    assert told == [*names[:-1], *expected], "it has stayed open, and is told all of it"
    assert whole.ids[-len(expected) :] == more.ids


async def test_services_answer_and_the_client_sees_one_run_in_progress(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.claim(run)
    server = call("moodle")
    await streaming.driving.park(claimed, new_id("step"), [server], Usage(prompt_tokens=1, completion_tokens=1))
    await stream.sees("thread.run.step.delta", 2)
    assert await streaming.caller.worker.answers.complete(streaming.caller.tenant, run["id"], server.id, "3")
    await streaming.driving.finish(await streaming.claim(run), answer("There."))
    names = await stream.end()
    assert [name for name in names if name.count(".") == 2 and "run" in name and "step" not in name] == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.completed",
    ]


async def test_from_every_id_exactly_the_rest_is_told(streaming: Streaming) -> None:
    stream, run = await streaming.answered("Hel", "lo, ", "wörld")
    names = stream.facts.names
    for place, last in enumerate(stream.ids):
        rest = streaming.events(run, last)
        told = await rest.end()
        written = b"".join(each + b"\n\n" for each in stream.raw.split(b"\n\n")[place + 1 : -1])
        if last == stream.ids[-1]:
            assert told == ["done"], "it was over, and still is"
        elif "thread.message.delta" not in names[place + 1 :]:
            assert rest.raw == written
        else:
            before = sum(name == "thread.message.delta" for name in names[: place + 1])
            assert rest.text == "".join(["Hel", "lo, ", "wörld"][before:])
            assert told[-4:] == ANSWERED[8:]
    events = f"/threads/{run['thread_id']}/runs/{run['id']}/events"
    half = streaming.request("GET", f"{events}?last_event_id={run['id']}:3.8")
    await half.end()
    assert half.text == ", wörld", "also in the middle of what was one delta"


async def test_a_run_that_is_over_is_told_again(streaming: Streaming) -> None:
    _, run = await streaming.answered("Hel", "lo")
    again = streaming.events(run)
    assert await again.end() == ANSWERED
    assert again.text == "Hello"


@pytest.mark.parametrize(
    "last", ["x", "run_other:1", "{run}", "{run}:", "{run}:x", "{run}:1.", "{run}:-1", "{run}:1.2.3", "{run}:99", "é:1"]
)
async def test_an_id_that_is_none_is_refused(streaming: Streaming, last: str) -> None:
    _, run = await streaming.answered("Hello")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/events"
    last = last.format(run=run["id"])
    for request in ({"headers": {"last-event-id": last.encode()}}, {"params": {"last_event_id": last}}):
        error = await streaming.caller.refused("GET", path, **request)
        assert (error["param"], error["code"]) == ("last_event_id", "invalid_value")


async def test_a_run_that_is_not_there_has_no_events(streaming: Streaming, new_caller: Any) -> None:
    _, run = await streaming.answered("Hello")
    path = f"/threads/{run['thread_id']}/runs/run_x/events"
    assert "No run found with id 'run_x'." in (await streaming.caller.refused("GET", path, 404))["message"]
    assert "No thread" in (await streaming.caller.refused("GET", "/threads/thread_x/runs/run_x/events", 404))["message"]
    stranger = await new_caller()
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/events"
    await stranger.refused("GET", path, 404)


async def test_head_tells_that_there_is_a_stream_and_no_more(streaming: Streaming) -> None:
    run = await streaming.caller.run()
    reply = await streaming.caller.http.head(f"/threads/{run['thread_id']}/runs/{run['id']}/events")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["content-type"].startswith("text/event-stream")


async def test_refusals_are_no_streams(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    body = {"assistant_id": run["assistant_id"], "stream": True}
    error = await streaming.caller.refused("POST", f"/threads/{run['thread_id']}/runs", json=body)
    assert error["message"] == f"Thread {run['thread_id']} already has an active run {run['id']}."
    body["assistant_id"] = "asst_x"
    await streaming.caller.refused("POST", "/threads/runs", 404, json=body)
    stream.leave()


async def test_two_readers_and_one_that_comes_back_in_the_middle(streaming: Streaming) -> None:
    first, run = await streaming.start()
    second = streaming.events(run)
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "one ", "two ")
    await asyncio.gather(*(each.until(lambda each=each: each.text == "one two ") for each in (first, second)))
    first.leave()
    await first.task
    await streaming.write(run, step_id, 8, "three ")
    await second.until(lambda: second.text == "one two three ")
    back = streaming.events(run, first.ids[-1])
    await back.until(lambda: back.text == "three ")
    await streaming.finish(claimed, step_id, message_id, "one two three four")
    await asyncio.gather(second.end(), back.end())
    assert (second.text, back.text) == ("one two three four", "three four")
    assert first.facts.names + [each for each in back.facts.names if each != "thread.message.delta"] == [
        *ANSWERED[:7],
        *["thread.message.delta"] * (len(first.facts.names) - 7),
        *ANSWERED[8:],
    ]


async def test_nobody_reads_and_the_run_goes_on(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    stream.leave()
    await stream.task
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "written ", "meanwhile")
    back = streaming.events(run, stream.ids[-1])
    await back.until(lambda: back.text == "written meanwhile")
    await streaming.finish(claimed, step_id, message_id, "written meanwhile")
    assert (await back.end())[-2:] == ["thread.run.completed", "done"]


async def test_cancelled_in_the_middle(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "half a ")
    await stream.sees("thread.message.delta")
    await streaming.caller.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    await stream.sees("thread.run.cancelling")
    await streaming.driving.obey_cancel(claimed, text("half a sent"))
    names = await stream.end()
    assert names[-6:] == [
        "thread.run.cancelling",
        "thread.message.delta",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]
    assert stream.text == "half a sent"


async def test_a_lost_worker(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "half a ")
    await stream.sees("thread.message.delta")
    await streaming.driving.hand_back(streaming.caller.tenant, run["id"], claimed.attempt)
    cut = await stream.sees("thread.message.incomplete")
    assert cut["content"][0]["text"]["value"] == "half a "
    await streaming.driving.finish(await streaming.claim(run), answer("a whole sentence"))
    names = await stream.end()
    assert names[8:10] == ["thread.message.incomplete", "thread.run.step.failed"]
    assert names[10:] == ANSWERED[3:]


async def test_a_repeated_request_joins_the_stream(streaming: Streaming) -> None:
    body = {"assistant_id": await streaming.caller.assistant(), "stream": True}
    key = str(uuid4())
    first = streaming.request("POST", "/threads/runs", body, idempotency_key=key)
    run = await first.sees("thread.run.queued")
    again = streaming.request("POST", "/threads/runs", body, idempotency_key=key)
    assert (await again.sees("thread.run.queued"))["id"] == run["id"]
    claimed = await streaming.claim(run)
    calls = [call()]
    await streaming.driving.park(claimed, new_id("step"), calls, Usage(prompt_tokens=1, completion_tokens=1))
    assert await first.end() == await again.end()
    assert first.raw == again.raw
    assert again.headers["idempotent-replayed"] == "true"
    late = streaming.request("POST", "/threads/runs", body, idempotency_key=key)
    await late.end()
    assert late.raw == first.raw

    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    body = {"tool_outputs": [{"tool_call_id": calls[0].id, "output": "1"}], "stream": True}
    submitted = [streaming.request("POST", path, body, idempotency_key=f"{key}-2") for _ in range(2)]
    for each in submitted:
        await each.sees("thread.run.queued")
    await streaming.driving.finish(await streaming.claim(run), answer("There."))
    assert await submitted[0].end() == await submitted[1].end() == [
        "thread.run.step.completed", "thread.run.queued", *ANSWERED[2:]
    ]  # fmt: skip


async def test_a_run_that_expires_or_fails(streaming: Streaming) -> None:
    stream, run = await streaming.start()
    await streaming.driving.fail(await streaming.claim(run), "rate_limit_exceeded", "Too much.")
    assert (await stream.end())[-2:] == ["thread.run.failed", "done"]
    assert (await stream.sees("thread.run.failed"))["last_error"]["code"] == "rate_limit_exceeded"
