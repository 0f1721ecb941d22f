"""The bytes of events, one by one. Pure; whole streams are in `test_streams_api`."""

from typing import Any

import orjson
import pytest
from gateway.application.streams.hub import StreamsEnd
from gateway.application.streams.telling import ArgumentsTold, CallTold, EndTold, Place, TextTold
from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.streaming.event_ids import event_id, place_of
from gateway.entrypoints.http.openai.streaming.event_stream import EventStream
from gateway.entrypoints.http.openai.streaming.event_writer import EventWriter
from run_engine.errors import DatabaseUnavailable, NotFound
from structlog.testing import capture_logs


def read(event: bytes) -> tuple[str, Any, str]:
    name, data, identity = event.decode().removesuffix("\n\n").split("\n")
    assert (name[:7], data[:6], identity[:4]) == ("event: ", "data: ", "id: ")
    return name[7:], orjson.loads(data[6:]), identity[4:]


def text(number: int, kind: Any, value: str, *, first: bool) -> TextTold:
    return TextTold(Place(3, 7), "msg_1", number, kind, value, first)


@pytest.mark.parametrize("value", ["x", '"\\\n\r\t', "\x00\x7f", "é💬", "\u2028\u2029\x85"])
def test_text(value: str) -> None:
    writer = EventWriter("run_1")
    for first in (True, False, False):
        name, data, identity = read(writer.write([text(0, "text", value, first=first)]))
        annotated = {"annotations": []} if first else {}
        assert (name, identity) == ("thread.message.delta", "run_1:3.7")
        assert data == {
            "id": "msg_1",
            "object": "thread.message.delta",
            "delta": {"content": [{"index": 0, "type": "text", "text": {"value": value} | annotated}]},
        }


def test_refusals_and_parts_after_each_other() -> None:
    writer = EventWriter("run_1")
    told = [
        text(0, "text", "a", first=True),
        text(0, "text", "b", first=False),
        text(1, "refusal", "c", first=True),
        text(1, "refusal", "d", first=False),
    ]
    contents = [read(writer.write([each]))[1]["delta"]["content"][0] for each in told]
    assert contents == [
        {"index": 0, "type": "text", "text": {"value": "a", "annotations": []}},
        {"index": 0, "type": "text", "text": {"value": "b"}},
        {"index": 1, "type": "refusal", "refusal": "c"},
        {"index": 1, "type": "refusal", "refusal": "d"},
    ]


def test_calls_and_their_arguments() -> None:
    writer = EventWriter("run_1")
    told = [CallTold(Place(3, 2), "step_1", 0, "call_1", "f"), ArgumentsTold(Place(3, 3), "step_1", 0, '{"')]
    told += [CallTold(Place(3, 4), "step_1", 1, "call_2", "g"), ArgumentsTold(Place(3, 5), "step_1", 1, "}")]
    events = [read(writer.write([each])) for each in told]
    assert [(name, identity) for name, _, identity in events] == [
        ("thread.run.step.delta", f"run_1:3.{n}") for n in (2, 3, 4, 5)
    ]
    calls = [data["delta"]["step_details"] for _, data, _ in events]
    assert {each["type"] for each in calls} == {"tool_calls"}
    begins = {"type": "function", "function": {"arguments": "", "output": None}}
    assert [each["tool_calls"] for each in calls] == [
        [{"index": 0, "id": "call_1"} | begins | {"function": begins["function"] | {"name": "f"}}],
        [{"index": 0, "type": "function", "function": {"arguments": '{"'}}],
        [{"index": 1, "id": "call_2"} | begins | {"function": begins["function"] | {"name": "g"}}],
        [{"index": 1, "type": "function", "function": {"arguments": "}"}}],
    ]


def test_several_things_are_one_write() -> None:
    writer = EventWriter("run_1")
    told = [text(0, "text", "a", first=False), text(0, "text", "b", first=False), EndTold(Place(4, 0))]
    assert writer.write(told) == b"".join(EventWriter("run_1").write([each]) for each in told)
    assert writer.write(told).endswith(b"event: done\ndata: [DONE]\nid: run_1:4\n\n")


@pytest.mark.parametrize(
    ("error", "message", "kind"),
    [
        (DatabaseUnavailable("secret"), "The server cannot reach its database", "server_error"),
        (NotFound("run", "run_1"), "No run found with id 'run_1'.", "invalid_request_error"),
        (StreamsEnd(), "The server shuts down. The run goes on", "server_error"),
        (ValueError("secret"), "The server had an error", "server_error"),
    ],
)
def test_an_error_is_wrapped_and_has_no_id(error: Exception, message: str, kind: str) -> None:
    event = EventWriter("run_1").error(error)
    name, data = event.decode().removesuffix("\n\n").split("\n")
    assert name == "event: error"
    told = orjson.loads(data.removeprefix("data: "))["error"]
    assert told["message"].startswith(message)
    assert told["type"] == kind
    assert b"secret" not in event


@pytest.mark.parametrize("place", [Place(0, 0), Place(1, 0), Place(3, 12), Place(999_999_999, 2**31 - 1)])
def test_ids_can_be_read_back(place: Place) -> None:
    assert place_of("run_1", event_id("run_1", place)) == place


@pytest.mark.parametrize("text", ["", ":", "run_1", "run_1:", "run_1:1.", "run_2:1", "run_1:1.2.3", "run_1:١", "1"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        place_of("run_1", text)
    assert (refused.value.status, refused.value.param) == (400, "last_event_id")


class Failing:
    """A reading that tells something that cannot be written, or fails."""

    ended = False

    def __init__(self, *told: Any) -> None:
        self.left = list(told)
        self.closed = False

    async def told(self) -> Any:
        each = self.left.pop(0)
        if isinstance(each, Exception):
            raise each
        return [each]

    def close(self) -> None:
        self.closed = self.ended = True


@pytest.mark.parametrize("fault", [ValueError("secret"), text(0, "text", "\ud800", first=False)])
async def test_a_fault_in_the_middle_is_the_last_event_and_in_the_log(fault: Any) -> None:
    reading: Any = Failing(text(0, "text", "x", first=True), fault)
    stream = EventStream(reading, EventWriter("run_1"))
    await anext(stream)
    with capture_logs() as lines:
        last = await anext(stream)
    assert last.startswith(b'event: error\ndata: {"error":')
    assert [(line["action"], line["run_id"]) for line in lines] == [("stream_failed", "run_1")]
    assert "secret" not in str(lines)
    assert reading.closed


async def test_what_a_client_can_be_told_of_is_no_fault() -> None:
    reading: Any = Failing(NotFound("run", "run_1"))
    with capture_logs() as lines:
        await anext(EventStream(reading, EventWriter("run_1")))
    assert lines == []
