"""Whole events as JSON: what is written is read back, for every message type."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from message_contracts import Message, UnknownType, codec
from message_contracts.examples import Example, examples
from message_contracts.structured_mode import structured

VALID = [example for example in examples() if example.valid]
HEADERS = (("content-type", b"application/cloudevents+json"),)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def message(example: Example) -> Message:
    return Message(
        type=example.type,
        source="/threadworks/gateway",
        subject="run_1",
        tenant="tenant_1",
        data=example.data,
        id="5b6f6c0e-8f0d-4f0e-9a51-2f8f4f9d2a11",
        time=datetime(2026, 11, 24, 9, 15, 2, 113407, UTC),
        seq=7,
        attempt=2,
        correlation_id="run_1",
        causation_id="event_0",
        traceparent=TRACEPARENT,
    )


@pytest.mark.parametrize("example", VALID, ids=lambda example: example.name)
def test_every_message_is_read_back_as_it_was_written(example: Example) -> None:
    written = message(example)
    assert codec.decode(HEADERS, structured(written)) == written


def test_attributes_have_their_cloudevents_names_and_types() -> None:
    event = orjson.loads(structured(message(VALID[0])))
    data = event.pop("data")
    assert data == VALID[0].data
    assert event == {
        "specversion": "1.0",
        "id": "5b6f6c0e-8f0d-4f0e-9a51-2f8f4f9d2a11",
        "source": "/threadworks/gateway",
        "type": VALID[0].type,
        "time": "2026-11-24T09:15:02.113407Z",
        "subject": "run_1",
        "dataschema": "urn:threadworks:contracts:messages:message.completed:v1",
        "datacontenttype": "application/json",
        "tenant": "tenant_1",
        "seq": 7,
        "attempt": 2,
        "correlationid": "run_1",
        "causationid": "event_0",
        "traceparent": TRACEPARENT,
    }


def test_what_a_message_does_not_have_is_left_out() -> None:
    bare = replace(message(VALID[0]), seq=None, attempt=None, correlation_id=None, causation_id=None, traceparent=None)
    assert not {"seq", "attempt", "correlationid", "causationid", "traceparent"} & set(orjson.loads(structured(bare)))


def test_a_type_without_a_contract_is_refused() -> None:
    with pytest.raises(UnknownType):
        structured(replace(message(VALID[0]), type="threadworks.run.imagined.v1"))
