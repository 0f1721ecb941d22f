"""Malformed envelopes: each is told apart with a clear reason, and nothing but a ContractError ever comes out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_contracts import ContractError, InvalidMessage, Message, codec

MESSAGE = Message(
    type="threadworks.run.requested.v1",
    source="/threadworks/gateway",
    subject="run_1",
    tenant="tenant_1",
    data={"run": {"id": "run_1", "thread_id": "thread_1"}},
    id="event_1",
    time=datetime(2026, 11, 24, 9, 15, 2, tzinfo=UTC),
    seq=1,
)
VALUE, HEADERS = codec.encode(MESSAGE)
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=utf-8")]
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "event_1",
    "source": "/threadworks/gateway",
    "type": MESSAGE.type,
    "time": "2026-11-24T09:15:02Z",
    "subject": "run_1",
    "tenant": "tenant_1",
    "seq": 1,
    "data": MESSAGE.data,
}


def headers_with(name: str, text: bytes | None) -> list[tuple[str, Any]]:
    return [*(header for header in HEADERS if header[0] != name), *([] if text is None else [(name, text)])]


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "subject", "specversion", "tenant"])
def test_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(InvalidMessage, match=f"^{name}: missing"):
        codec.decode(headers_with(f"ce_{name}", None), VALUE)
    with pytest.raises(InvalidMessage, match=f"^{name}: missing"):
        codec.decode(STRUCTURED, orjson.dumps({key: member for key, member in EVENT.items() if key != name}))
    with pytest.raises(InvalidMessage, match=f"^{name}: missing"):
        codec.decode(STRUCTURED, orjson.dumps({**EVENT, name: None}))


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("ce_specversion", b"0.3", "specversion: missing or not 1.0"),
        ("ce_id", b"", "id: empty or not text"),
        ("ce_id", b"\xff\xfe", "header ce_id: not UTF-8"),
        ("ce_tenant", b"\xc3\x28", "header ce_tenant: not UTF-8"),
        ("ce_type", b"", "type: empty or not text"),
        ("ce_subject", b"run_1\nlevel=error", "subject: holds control characters"),
        ("ce_source", b"/a\x00b", "source: holds control characters"),
        ("ce_time", b"yesterday", "time: not an RFC 3339 time"),
        ("ce_time", b"2026-11-24", "time: not an RFC 3339 time"),
        ("ce_time", b"2026-11-24T09:15:02", "time: not an RFC 3339 time"),
        ("ce_time", b"2026-11-24 09:15:02Z", "time: not an RFC 3339 time"),
        ("ce_time", b"2026-13-24T09:15:02Z", "time: not an RFC 3339 time"),
        ("ce_time", b"0001-01-01T00:00:00+23:59", "time: not an RFC 3339 time"),
        ("ce_time", "２026-11-24T09:15:02Z".encode(), "time: not an RFC 3339 time"),
        ("ce_seq", b"-1", "seq: not a whole number from 0 to 2147483647"),
        ("ce_seq", b"1.0", "seq: not a whole number from 0 to 2147483647"),
        ("ce_seq", b"2147483648", "seq: not a whole number from 0 to 2147483647"),
        ("ce_seq", "٣".encode(), "seq: not a whole number from 0 to 2147483647"),
        ("ce_attempt", b"", "attempt: not a whole number from 0 to 2147483647"),
        ("content-type", b"text/plain", "content-type: not JSON"),
        ("content-type", b"application/cloudevents-batch+json", "content-type: only the JSON format"),
        ("content-type", b"application/cloudevents+avro", "content-type: only the JSON format"),
    ],
)
def test_a_malformed_header_is_told(name: str, text: bytes, reason: str) -> None:
    with pytest.raises(InvalidMessage) as raised:
        codec.decode(headers_with(name, text), VALUE)
    assert raised.value.reason.startswith(reason)


def test_a_header_without_a_value_is_told() -> None:
    nothing: Any = None
    with pytest.raises(InvalidMessage, match="header ce_id: no value"):
        codec.decode([*HEADERS, ("ce_id", nothing)], VALUE)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "data: empty"),
        (None, "data: empty"),
        (b"hunter2", "data: not JSON"),
        (b'{"run": ', "data: not JSON"),
        (b'{"run": "\xff"}', "data: not JSON"),
        (b"[1]", "data: not a JSON object"),
        (b'"hunter2"', "data: not a JSON object"),
        (b"null", "data: not a JSON object"),
        (b"[" * 5000, "data: not JSON"),
    ],
)
def test_a_value_that_is_no_object_is_told_without_its_text(value: Any, reason: str) -> None:
    with pytest.raises(InvalidMessage) as raised:
        codec.decode(HEADERS, value)
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": None}, "data: missing or not a JSON object"),
        ({"data": "text"}, "data: missing or not a JSON object"),
        ({"data_base64": "e30="}, "event: its data is not JSON"),
        ({"datacontenttype": "text/xml"}, "event: its data is not JSON"),
        ({"id": 5}, "id: empty or not text"),
        ({"seq": True}, "seq: not a whole number"),
        ({"seq": 1.5}, "seq: not a whole number"),
        ({"specversion": 1.0}, "specversion: missing or not 1.0"),
        ({"data": {"run": {}}}, "data: /run: required id"),
    ],
)
def test_a_malformed_structured_event_is_told(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidMessage) as raised:
        codec.decode(STRUCTURED, orjson.dumps({**EVENT, **change}))
    assert raised.value.reason.startswith(reason)


@pytest.mark.parametrize("value", [b"", b"[]", b"{"])
def test_a_structured_value_that_is_no_event_is_told(value: bytes) -> None:
    with pytest.raises(InvalidMessage, match=r"^event: "):
        codec.decode(STRUCTURED, value)


@pytest.mark.parametrize(
    "change", [{}, {"seq": "1"}, {"datacontenttype": "application/json"}, {"comexampleother": "kept out"}]
)
def test_structured_mode_gives_the_same_message(change: dict[str, Any]) -> None:
    assert codec.decode(STRUCTURED, orjson.dumps({**EVENT, **change})) == MESSAGE


@pytest.mark.parametrize(
    "content_type", [None, b"application/json", b"application/json; charset=utf-8", b"Application/JSON", b"text/x+json"]
)
def test_json_under_any_of_its_names_is_binary_mode(content_type: bytes | None) -> None:
    assert codec.decode(headers_with("content-type", content_type), VALUE) == MESSAGE


def test_of_a_repeated_header_the_last_one_counts() -> None:
    assert codec.decode([("ce_id", b"first"), *HEADERS], VALUE).id == "event_1"


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        (b"2026-11-24T10:15:02.1134079+01:00", 113407),
        (b"2026-11-24t09:15:02z", 0),
        (b"2026-11-24T09:15:02.5Z", 500000),
        (b"2026-11-23T21:15:02-12:00", 0),
    ],
)
def test_any_rfc_3339_time_is_read_as_utc(text: bytes, microsecond: int) -> None:
    time = codec.decode(headers_with("ce_time", text), VALUE).time
    assert time == MESSAGE.time.replace(microsecond=microsecond)
    assert time.tzinfo is UTC


def test_a_time_is_written_in_utc() -> None:
    elsewhere = replace(MESSAGE, time=MESSAGE.time.astimezone(timezone(timedelta(hours=-3))))
    assert dict(codec.encode(elsewhere).headers)["ce_time"] == b"2026-11-24T09:15:02Z"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time": datetime(2026, 11, 24)}, "time: has no time zone"),
        ({"id": ""}, "id: empty or not text"),
        ({"subject": "a\tb"}, "subject: holds control characters"),
        ({"source": "\ud800"}, "attributes: not encodable as UTF-8"),
        ({"seq": -1}, "seq: not a whole number"),
        ({"attempt": 2**31}, "attempt: not a whole number"),
        ({"attempt": True}, "attempt: not a whole number"),
        ({"tenant": ""}, "tenant: empty or not text"),
        ({"correlation_id": ""}, "correlationid: empty or not text"),
    ],
)
def test_a_producer_cannot_send_a_malformed_attribute(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidMessage) as raised:
        codec.encode(replace(MESSAGE, **change))
    assert raised.value.reason.startswith(reason)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "garbage",
        "\x00",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ],
)
def test_a_malformed_trace_context_never_stops_a_message(traceparent: str) -> None:
    assert "traceparent" not in dict(codec.encode(replace(MESSAGE, traceparent=traceparent)).headers)
    assert codec.decode([*HEADERS, ("traceparent", traceparent.encode())], VALUE).traceparent is None
    assert codec.decode([*HEADERS, ("traceparent", b"\xff\xff")], VALUE).traceparent is None


names = st.sampled_from([*(name for name, _ in HEADERS), "ce_attempt", "traceparent", "other"])
noise = st.binary(max_size=40)


@settings(deadline=None, max_examples=300)
@given(headers=st.lists(st.tuples(names, noise), max_size=6), value=noise | st.just(VALUE))
def test_whatever_arrives_is_a_message_or_a_contract_error(headers: list[tuple[str, bytes]], value: bytes) -> None:
    def either(call: Callable[[], Message]) -> None:
        try:
            assert isinstance(call(), Message)
        except ContractError as error:
            assert str(error)

    either(lambda: codec.decode(headers, value))
    either(lambda: codec.decode([*HEADERS, *headers], value))


members = st.sampled_from([*EVENT, "attempt", "traceparent", "datacontenttype", "other"])
anything = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9) | st.just({"run": 1})
)


@settings(deadline=None, max_examples=300)
@given(change=st.dictionaries(members, anything, max_size=4))
def test_whatever_structured_event_arrives_is_a_message_or_a_contract_error(change: dict[str, Any]) -> None:
    try:
        event = orjson.dumps({**EVENT, **change})
    except TypeError:  # an integer that JSON of this library cannot write
        return
    try:
        assert isinstance(codec.decode(STRUCTURED, event), Message)
    except ContractError as error:
        assert str(error)
