"""The recorder of streams: whatever is left out of a good stream, told twice or out of order, it must find."""

from typing import Any

import orjson
import pytest
from conformance.field_facts import FieldFacts
from conformance.stream_facts import StreamFacts

THREAD = {"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
Events = list[tuple[str, Any]]


def run(status: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "run_1",
        "object": "thread.run",
        "created_at": 1,
        "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "status": status,
        "required_action": None,
        "last_error": None,
        "expires_at": 601,
        "started_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "model": "demo",
        "instructions": "",
        "tools": [],
        "metadata": {},
        "usage": None,
        "incomplete_details": None,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "response_format": "auto",
    } | fields


def step(number: int, status: str, details: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"step_{number}",
        "object": "thread.run.step",
        "created_at": 1,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "run_id": "run_1",
        "type": details["type"],
        "status": status,
        "step_details": details,
        "last_error": None,
        "expired_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "metadata": {},
        "usage": USAGE,
    }


def message(status: str, *texts: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "object": "thread.message",
        "created_at": 1,
        "thread_id": "thread_1",
        "status": status,
        "incomplete_details": None,
        "completed_at": None,
        "incomplete_at": None,
        "role": "assistant",
        "content": [{"type": "text", "text": {"value": text, "annotations": []}} for text in texts],
        "assistant_id": "asst_1",
        "run_id": "run_1",
        "attachments": [],
        "metadata": {},
    }


def text(value: str, **more: Any) -> tuple[str, Any]:
    content = [{"index": 0, "type": "text", "text": {"value": value, **more}}]
    return "thread.message.delta", {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": content}}


def of_call(index: int, function: dict[str, Any], **more: Any) -> tuple[str, Any]:
    calls = [{"index": index, "type": "function", "function": function, **more}]
    delta = {"step_details": {"type": "tool_calls", "tool_calls": calls}}
    return "thread.run.step.delta", {"id": "step_1", "object": "thread.run.step.delta", "delta": delta}


def calls(output: str | None) -> dict[str, Any]:
    return {
        "type": "tool_calls",
        "tool_calls": [
            {
                "id": f"call_{name}",
                "type": "function",
                "function": {"name": name, "arguments": '{"x": 1}', "output": output},
            }
            for name in ("f", "g")
        ],
    }


CREATION = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}
REQUIRED = {
    "type": "submit_tool_outputs",
    "submit_tool_outputs": {
        "tool_calls": [
            {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": '{"x": 1}'}}
            for name in ("f", "g")
        ]
    },
}


def begun() -> Events:
    return [(f"thread.run.{name}", run(status)) for name, status in (("created", "queued"), ("queued", "queued"))]


def answered(number: int) -> Events:
    return [
        ("thread.run.in_progress", run("in_progress")),
        ("thread.run.step.created", step(number, "in_progress", CREATION)),
        ("thread.run.step.in_progress", step(number, "in_progress", CREATION)),
        ("thread.message.created", message("in_progress")),
        ("thread.message.in_progress", message("in_progress")),
        text("Hal", annotations=[]),
        text("lo "),
        text("du."),
        ("thread.message.completed", message("completed", "Hallo du.")),
        ("thread.run.step.completed", step(number, "completed", CREATION)),
        ("thread.run.completed", run("completed", usage=USAGE)),
        ("done", None),
    ]


def called() -> Events:
    empty = {"type": "tool_calls", "tool_calls": []}
    return [
        ("thread.run.in_progress", run("in_progress")),
        ("thread.run.step.created", step(1, "in_progress", empty)),
        ("thread.run.step.in_progress", step(1, "in_progress", empty)),
        of_call(0, {"name": "f", "arguments": "", "output": None}, id="call_f"),
        of_call(0, {"arguments": '{"x"'}),
        of_call(0, {"arguments": ": 1}"}),
        of_call(1, {"name": "g", "arguments": "", "output": None}, id="call_g"),
        of_call(1, {"arguments": '{"x": 1}'}),
        ("thread.run.requires_action", run("requires_action", required_action=REQUIRED)),
        ("done", None),
    ]


STREAMS: dict[str, Events] = {
    "/v1/threads/runs": [("thread.created", THREAD), *begun(), *answered(1)],
    "/v1/threads/thread_1/runs": [*begun(), *called()],
    "/v1/threads/thread_1/runs/run_1/submit_tool_outputs": [
        ("thread.run.step.completed", step(1, "completed", calls("out"))),
        ("thread.run.queued", run("queued")),
        *answered(2),
    ],
}
PLACES = [(path, place) for path, events in STREAMS.items() for place in range(len(events))]


def wire(events: Events) -> bytes:
    parts = [
        f"id: run_1:{seq}\nevent: {name}\ndata: {'[DONE]' if data is None else orjson.dumps(data).decode()}\n\n"
        for seq, (name, data) in enumerate(events, 1)
    ]
    return (": keepalive\n" + "".join(parts)).encode()


def of(path: str) -> StreamFacts:
    return FieldFacts().stream("POST", path)


def problems(path: str, content: bytes) -> list[str]:
    stream = of(path)
    stream.feed(content)
    stream.end()
    return stream.problems


@pytest.mark.parametrize("path", STREAMS)
def test_a_good_stream_passes_in_any_cut(path: str) -> None:
    content = wire(STREAMS[path])
    stream = of(path)
    for byte in content:
        stream.feed(bytes([byte]))
    stream.end()
    assert stream.problems == []
    assert stream.names == [name for name, _ in STREAMS[path]]


@pytest.mark.parametrize(("path", "place"), PLACES)
def test_an_event_that_is_missing_is_found(path: str, place: int) -> None:
    events = STREAMS[path]
    assert problems(path, wire(events[:place] + events[place + 1 :]))


@pytest.mark.parametrize(("path", "place"), PLACES)
def test_an_event_that_comes_twice_is_found(path: str, place: int) -> None:
    events = STREAMS[path]
    assert problems(path, wire(events[: place + 1] + events[place:]))


@pytest.mark.parametrize(("path", "place"), [each for each in PLACES if each[1]])
def test_two_events_in_the_wrong_order_are_found(path: str, place: int) -> None:
    events = list(STREAMS[path])
    events[place - 1 : place + 1] = reversed(events[place - 1 : place + 1])
    assert problems(path, wire(events))


@pytest.mark.parametrize(("path", "place"), [each for each in PLACES if STREAMS[each[0]][each[1]][1] is not None])
def test_a_payload_without_its_id_is_found(path: str, place: int) -> None:
    events = list(STREAMS[path])
    name, data = events[place]
    events[place] = name, {key: value for key, value in data.items() if key != "id"}
    assert any(name in each and '"id" is a required property' in each for each in problems(path, wire(events)))


def changed(old: str, new: str) -> bytes:
    content = wire(STREAMS["/v1/threads/runs"]).decode()
    assert old in content
    return content.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (changed("id: run_1:5\n", ""), "without 'id'"),
        (changed("id: run_1:5\n", "id: 5\n"), "with the id '5'"),
        (changed("id: run_1:5\n", "id: run_1:4\n"), "not after"),
        (changed("id: run_1:5\n", "id: run_2:5\n"), "run_2"),
        (changed('{"id":"run_1"', '{"id":"run_2"'), "thread.run.created of run_2 has an id of run run_1"),
        (changed(": keepalive\n", ": keepalive\n\n"), "blank line"),
        (changed("[DONE]", '"[DONE]"'), "done with"),
        (changed("event: thread.run.queued", "event: thread.run.awaiting_tools"), "no known name"),
        (changed("event: thread.run.queued", "event:thread.run.queued"), "no field"),
        (changed("event: thread.run.queued", "retry: 1\nevent: thread.run.queued"), "no field"),
        (changed("event: thread.run.queued", "event: thread.run.queued\nevent: x"), "two lines"),
        (changed("lo ", "Lo "), "told was"),
        (changed('"annotations":[]', '"annotations":null'), "annotations"),
        (changed('"run_id":"run_1"', '"run_id":"run_2"'), "run_2"),
        (changed('"status":"completed"', '"status":"in_progress"'), "status in_progress"),
        (wire(STREAMS["/v1/threads/runs"]).removesuffix(b"\n"), "middle of an event"),
    ],
)
def test_what_is_wrong_is_named(content: bytes, found: str) -> None:
    assert any(found in each for each in problems("/v1/threads/runs", content))


def test_an_error_ends_a_stream_and_has_to_be_in_its_envelope() -> None:
    path = "/v1/threads/thread_1/runs"
    error = {"message": "no", "type": "server_error", "param": None, "code": None}
    assert problems(path, wire([*begun(), ("error", {"error": error})])) == []
    assert problems(path, wire([*begun(), ("error", {"error": error}), ("done", None)])) == []
    assert problems(path, wire([*begun(), ("error", error)]))
    assert problems(path, wire([*begun(), ("error", {"error": error}), *answered(1)]))


def test_a_stream_that_its_client_leaves_is_not_over() -> None:
    stream = of("/v1/threads/runs")
    stream.feed(wire(STREAMS["/v1/threads/runs"])[:1000])
    assert stream.problems == []


def test_a_resumed_stream_is_judged_without_its_beginning() -> None:
    stream = FieldFacts().stream("GET", "/v1/threads/thread_1/runs/run_1/events")
    stream.feed(wire(answered(1)[6:]))
    stream.end()
    assert stream.problems == []
