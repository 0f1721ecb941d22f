"""What every log line says that is written while something is worked on: the run, the event, the request, the trace.

Bound where a message is handled (`handling`), a request is answered (the gateway) and a run is driven (the
orchestrator); `logging_setup` reads it. structlog's own bound variables cost a request three times as much.
"""

from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Final

from structlog.typing import EventDict, WrappedLogger

from observability.trace_context import current_traceparent, trace_id_of

_FIELDS: Final[ContextVar[Mapping[str, object]]] = ContextVar("log_fields", default=MappingProxyType({}))


class LogContext:
    """`with LogContext(run_id=…)`: lines of this task, and of tasks that are begun meanwhile, have these fields."""

    __slots__ = ("_fields", "_token")

    def __init__(self, **fields: object) -> None:
        self._fields = fields
        self._token: Token[Mapping[str, object]] | None = None

    def __enter__(self) -> None:
        self._token = _FIELDS.set({**_FIELDS.get(), **self._fields})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            _FIELDS.reset(self._token)


def add_log_context(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the fields to an event, as a processor of structlog. What a line says itself counts more."""
    for name, value in _FIELDS.get().items():
        event.setdefault(name, value)
    traceparent = current_traceparent()
    if traceparent is not None:
        event.setdefault("trace_id", trace_id_of(traceparent))
    return event
