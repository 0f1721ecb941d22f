"""What the handling of a message happens within: the log knows its event, run and trace, also where it fails."""

from datetime import UTC, datetime

import pytest
from event_bus import Message
from observability.log_context import add_log_context
from observability.trace_context import current_traceparent
from service_process.handling import handling

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def message(**changes: str | None) -> Message:
    fields = {"correlation_id": "run_1", "traceparent": SENT, **changes}
    return Message(
        type="threadworks.run.requested.v1",
        source="/threadworks/gateway",
        subject="run_1",
        tenant="tenant_1",
        data={},
        id="event_1",
        time=datetime.now(UTC),
        **fields,  # type: ignore[arg-type]  # fields of text alone
    )


def test_the_log_knows_the_event_its_run_and_its_trace() -> None:
    with handling(message()):
        assert add_log_context(None, "info", {"event": "x"}) == {
            "event": "x",
            "event_id": "event_1",
            "run_id": "run_1",
            "trace_id": SENT[3:35],
        }
    assert add_log_context(None, "info", {"event": "x"}) == {"event": "x"}


def test_a_message_of_no_run_and_no_trace_takes_on_none() -> None:
    with handling(message()), handling(message(correlation_id=None, traceparent=None)):
        assert current_traceparent() is None
    with handling(message(correlation_id=None, traceparent=None)):
        assert add_log_context(None, "info", {"event": "x"}) == {"event": "x", "event_id": "event_1"}


def test_what_the_handler_raises_goes_through() -> None:
    with pytest.raises(ValueError, match="x"), handling(message()):
        raise ValueError("x")
    assert current_traceparent() is None
