"""The codec: what it writes, what it reads back, and what it refuses. Malformed envelopes have a file of their own."""

import enum
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_contracts import InvalidMessage, Message, UnknownType, codec
from message_contracts.examples import examples
from message_contracts.schemas import contract, current

VALID = [example for example in examples() if example.valid]
RUN_REQUESTED = Message(
    type="threadworks.run.requested.v1",
    source="/threadworks/gateway",
    subject="run_1",
    tenant="tenant_1",
    data={"run": {"id": "run_1", "thread_id": "thread_1"}},
    id="5b6f6c0e-8f0d-4f0e-9a51-2f8f4f9d2a11",
    time=datetime(2026, 11, 24, 9, 15, 2, 113407, UTC),
)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

words = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
counts = st.integers(0, 2**31 - 1)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False, width=32),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=9), children, max_size=3),
    max_leaves=8,
)
envelopes = st.fixed_dictionaries(
    {
        "source": words,
        "subject": words,
        "tenant": words,
        "id": words,
        "time": st.datetimes(
            datetime(1970, 1, 2),
            datetime(9999, 12, 30),
            timezones=st.sampled_from([UTC, timezone(timedelta(hours=5.5))]),
        ),
        "seq": st.none() | counts,
        "attempt": st.none() | counts,
        "correlation_id": st.none() | words,
        "causation_id": st.none() | words,
        "traceparent": st.none() | st.just(TRACEPARENT),
    }
)


@settings(deadline=None, max_examples=30)
@given(example=st.sampled_from(VALID), envelope=envelopes, unknown=json_values)
def test_a_message_of_every_type_comes_back_as_it_was(example: Any, envelope: dict[str, Any], unknown: Any) -> None:
    sent = Message(type=example.type, data={**example.data, "from_the_future": unknown}, **envelope)
    encoded = codec.encode(sent)
    received = codec.decode(encoded.headers, encoded.value)
    assert received == sent
    assert received.time.tzinfo is UTC


@pytest.mark.parametrize("example", VALID, ids=lambda example: example.name)
def test_each_valid_example_travels_in_both_modes(example: Any) -> None:
    sent = replace(RUN_REQUESTED, type=example.type, data=example.data, seq=7, attempt=2, traceparent=TRACEPARENT)
    value, headers = codec.encode(sent)
    assert codec.decode(headers, value) == sent
    assert codec.decode([("content-type", b"application/cloudevents+json")], structured(headers, value)) == sent


def structured(headers: Any, value: bytes) -> bytes:
    """The same event in structured mode, as another producer may write it."""
    event: dict[str, Any] = {
        name.removeprefix("ce_"): text.decode() for name, text in headers if name != "content-type"
    }
    numbers = {name: int(event[name]) for name in ("seq", "attempt") if name in event}
    return orjson.dumps({**event, **numbers, "datacontenttype": "application/json", "data": orjson.loads(value)})


def test_binary_mode_to_the_letter() -> None:
    message = replace(
        RUN_REQUESTED, seq=3, attempt=0, correlation_id="corr", causation_id="cause", traceparent=TRACEPARENT
    )
    value, headers = codec.encode(message)
    assert value == b'{"run":{"id":"run_1","thread_id":"thread_1"}}'
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"5b6f6c0e-8f0d-4f0e-9a51-2f8f4f9d2a11",
        "ce_source": b"/threadworks/gateway",
        "ce_type": b"threadworks.run.requested.v1",
        "ce_time": b"2026-11-24T09:15:02.113407Z",
        "ce_subject": b"run_1",
        "ce_dataschema": b"urn:threadworks:contracts:messages:run.requested:v1",
        "ce_seq": b"3",
        "ce_attempt": b"0",
        "ce_correlationid": b"corr",
        "ce_causationid": b"cause",
        "ce_tenant": b"tenant_1",
        "traceparent": TRACEPARENT.encode(),
        "content-type": b"application/json",
    }
    assert len(headers) == 14


def test_what_is_not_set_has_no_header() -> None:
    announced = next(example for example in VALID if example.type == "threadworks.tool-service.announced.v1")
    message = replace(RUN_REQUESTED, type=announced.type, data=announced.data, tenant=None)
    names = {name for name, _ in codec.encode(message).headers}
    assert names == {
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema", "content-type")
    }


@pytest.mark.parametrize(
    "type_", ["threadworks.run.requested.v2", "threadworks.run.imagined.v1", "run.requested.v1", "com.example.other"]
)
def test_an_unknown_type_or_major_is_told_apart(type_: str) -> None:
    _, headers = codec.encode(RUN_REQUESTED)
    renamed = [(name, type_.encode() if name == "ce_type" else text) for name, text in headers]
    with pytest.raises(UnknownType) as raised:
        codec.decode(renamed, b"not even JSON")
    assert raised.value.type == type_
    with pytest.raises(UnknownType):  # a later major may even come in another format
        codec.decode([*renamed, ("content-type", b"application/protobuf")], b"\x08\x01")
    with pytest.raises(UnknownType):
        event = {"specversion": "1.0", "type": type_, "datacontenttype": "text/xml", "data": "<run/>"}
        codec.decode([("content-type", b"application/cloudevents+json")], orjson.dumps(event))
    with pytest.raises(InvalidMessage, match="not in the contracts"):
        codec.encode(replace(RUN_REQUESTED, type=type_))


@pytest.mark.parametrize("type_", sorted(current().messages))
def test_a_tenant_is_required_of_every_type_that_has_one(type_: str) -> None:
    example = next(example for example in VALID if example.type == type_)
    value, headers = codec.encode(replace(RUN_REQUESTED, type=type_, data=example.data))
    message = replace(RUN_REQUESTED, type=type_, data=example.data, tenant=None)
    without = [(name, text) for name, text in headers if name != "ce_tenant"]
    if type_ in ("threadworks.tool-service.announced.v1", "threadworks.run-delta.produced.v1"):
        assert codec.encode(message).headers == tuple(without)
        assert codec.decode(without, value).tenant is None
        return
    with pytest.raises(InvalidMessage, match="tenant: missing"):
        codec.encode(message)
    with pytest.raises(InvalidMessage, match="tenant: missing"):
        codec.decode(without, value)


def test_a_consumer_accepts_words_that_a_producer_may_not_send() -> None:
    created = next(example for example in VALID if example.type == "threadworks.run-step.created.v1")
    grown = {"step": {**created.data["step"], "type": "code_interpreter", "status": "paused"}}
    with pytest.raises(InvalidMessage, match="/step/type: enum"):
        codec.encode(replace(RUN_REQUESTED, type=created.type, data=grown))
    _, headers = codec.encode(replace(RUN_REQUESTED, type=created.type, data=created.data))
    assert codec.decode(headers, orjson.dumps(grown)).data == grown


def test_decode_validates() -> None:
    _, headers = codec.encode(RUN_REQUESTED)
    with pytest.raises(InvalidMessage, match="data: /run: required thread_id"):
        codec.decode(headers, b'{"run":{"id":"run_1"}}')


def test_a_reason_holds_no_payload_text() -> None:
    queued = next(example for example in VALID if example.type == "threadworks.run.queued.v1")
    run = {**queued.data["run"], "metadata": {"hunter2": 5}, "model": {"hunter2": "hunter2"}}
    with pytest.raises(InvalidMessage) as raised:
        codec.encode(replace(RUN_REQUESTED, type=queued.type, data={"run": {**run, "expires_at": "hunter2"}}))
    assert "hunter2" not in raised.value.reason
    assert "/run/expires_at: format date-time" in raised.value.reason
    assert "/run/metadata/*: type string" in raised.value.reason


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(("value", "text"), [(Colour.RED, "red"), (UUID(int=7), str(UUID(int=7)))])
def test_what_json_libraries_write_as_text_counts_as_text(value: object, text: str) -> None:
    message = replace(RUN_REQUESTED, data={"run": {"id": value, "thread_id": "thread_1"}})
    assert orjson.loads(codec.encode(message).value)["run"]["id"] == text


@pytest.mark.parametrize("odd", [datetime.now(UTC), b"bytes", {1: 2}, object(), 2**70, "\ud800", {"a", "b"}])
def test_a_value_that_json_does_not_have_is_refused(odd: object) -> None:
    with pytest.raises(InvalidMessage, match="data: holds a value that JSON does not have"):
        codec.encode(replace(RUN_REQUESTED, data={**RUN_REQUESTED.data, "odd": odd}))


def test_what_is_judged_is_what_consumers_get() -> None:
    announced = next(example for example in VALID if example.type == "threadworks.tool-service.announced.v1")
    function = {**announced.data["service"]["functions"][0], "timeout_seconds": float("inf")}
    data = {"service": {**announced.data["service"], "functions": [function]}}
    with pytest.raises(InvalidMessage, match="/service/functions/0/timeout_seconds: type number"):
        codec.encode(replace(RUN_REQUESTED, type=announced.type, data=data, tenant=None))


LIMIT = 512 * 1024


@pytest.mark.parametrize(
    ("type_", "member"),
    [("threadworks.tool-call.requested.v1", "arguments"), ("threadworks.tool-call.completed.v1", "output")],
)
@pytest.mark.parametrize("letter", ["x", "ü", "語", "🙂"])
def test_arguments_and_outputs_hold_at_most_512_kib(type_: str, member: str, letter: str) -> None:
    example = next(example for example in VALID if example.type == type_)
    fitting = letter * (LIMIT // len(letter.encode()))

    def with_text(text: str) -> Message:
        data = orjson.loads(orjson.dumps(example.data))
        (data if member in data else data["tool_call"])[member] = text
        return replace(RUN_REQUESTED, type=type_, data=data)

    value, headers = codec.encode(with_text(fitting))
    assert codec.decode(headers, value).data == with_text(fitting).data
    too_long = with_text(fitting + letter)
    with pytest.raises(InvalidMessage, match=member):
        codec.encode(too_long)
    with pytest.raises(InvalidMessage, match=member):
        codec.decode(headers, orjson.dumps(too_long.data))


def test_the_value_fits_a_kafka_record_of_1_mib() -> None:
    frame = len(codec.encode(replace(RUN_REQUESTED, data={**RUN_REQUESTED.data, "note": ""})).value)
    largest = replace(RUN_REQUESTED, data={**RUN_REQUESTED.data, "note": "x" * (codec.MAX_VALUE_BYTES - frame)})
    value, headers = codec.encode(largest)
    assert len(value) == codec.MAX_VALUE_BYTES
    assert len(value) + codec.MAX_HEADER_BYTES < 1024 * 1024
    assert codec.decode(headers, value) == largest
    larger = replace(largest, data={**largest.data, "note": largest.data["note"] + "x"})
    with pytest.raises(InvalidMessage, match="bytes, more than"):
        codec.encode(larger)


def test_headers_are_bounded_too() -> None:
    with pytest.raises(InvalidMessage, match="attributes: more than 8192 bytes"):
        codec.encode(replace(RUN_REQUESTED, correlation_id="x" * codec.MAX_HEADER_BYTES))


def test_a_type_is_compiled_once() -> None:
    assert contract(RUN_REQUESTED.type) is contract(RUN_REQUESTED.type)


def test_nothing_is_read_or_compiled_at_import() -> None:
    program = "import message_contracts.schemas as s; print(s.current.cache_info().currsize, s._compiled_contracts)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "{}"]
