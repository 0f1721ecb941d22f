"""What the handling of every message happens within: its fields in the log, and its span.

Given to the bus by `process`, and by `threadworks run`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from event_bus import Message
from observability.log_context import LogContext
from observability.tracing import span_of

_PREFIX: Final = "threadworks."


@contextmanager
def handling(message: Message) -> Iterator[None]:
    """Bind the event and its run to the log, and be a span of the trace that the event belongs to."""
    fields = {"event_id": message.id}
    attributes = {"messaging.message.id": message.id, "messaging.operation.type": "process"}
    if message.correlation_id is not None:
        fields["run_id"] = attributes["threadworks.run_id"] = message.correlation_id
    name = f"handle {message.type.removeprefix(_PREFIX)}"
    with LogContext(**fields), span_of(message.traceparent, name, "consumer", attributes):
        yield
