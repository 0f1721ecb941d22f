"""Spans, exported over OTLP where the environment asks for it; where it does not, there are none, and no cost.

`configure_tracing` is called once a process, by `service_process` and `threadworks run`. `span` is called wherever
something is worth one: a request, a publication, the handling of a message, the driving of a run, a request to a model,
a tool call.
"""

import os
import threading
from collections.abc import Mapping
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import structlog
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace import Span as ApiSpan

from observability.trace_context import current_traceparent, readable, reset_traceparent, set_traceparent

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

log = structlog.get_logger(__name__)

Kind: TypeAlias = Literal["internal", "server", "client", "producer", "consumer"]
Value: TypeAlias = str | int | float | bool

_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
STOP_SECONDS: Final = 3.0
"""Longest wait for the last spans to be exported at the end of the process."""
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class _Spans:
    """The tracer of the process; None where no spans are made."""

    tracer: Tracer | None = None


class Tracing:
    """What `configure_tracing` has set up. `stop` it at the end of the process."""

    def __init__(self, provider: "TracerProvider | None") -> None:
        self._provider = provider

    @property
    def on(self) -> bool:
        """Whether spans are made."""
        return self._provider is not None

    def stop(self) -> None:
        """Export what is left, and make no more spans. Blocks for three seconds at the most."""
        _Spans.tracer = None
        if self._provider is not None:
            # A collector that is away would be tried again for ten seconds, and the process has no time for that.
            ending = threading.Thread(target=self._provider.shutdown, name="tracing-stop", daemon=True)
            ending.start()
            ending.join(STOP_SECONDS)
            self._provider = None


def configure_tracing(
    service: str, environment: Mapping[str, str] | None = None, exporter: "SpanExporter | None" = None
) -> Tracing:
    """Make and export spans if the environment says so; off otherwise.

    On with OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or OTEL_TRACES_EXPORTER=otlp; off again
    with OTEL_TRACES_EXPORTER=none or OTEL_SDK_DISABLED=true. The other variables of OpenTelemetry's SDK and its OTLP
    exporter hold as its documentation says; the protocol is http/protobuf. `service` is the name of the process unless
    OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES gives another. `exporter` takes the place of OTLP.
    """
    given = os.environ if environment is None else environment
    if exporter is None and not _wanted(given):
        return Tracing(None)
    # A process without spans does without the SDK as well: importing it doubles the time that observability takes.
    from observability.span_export import provider_of  # noqa: PLC0415 - as above

    provider = provider_of({} if _named(given) else {"service.name": service}, exporter)
    _Spans.tracer = provider.get_tracer("threadworks")
    log.info("spans are exported", action="tracing_on", service_name=provider.resource.attributes["service.name"])
    return Tracing(provider)


class Span:
    """`with span(…) as this:`. Where no spans are made it only passes the trace on.

    Several at once in one task are `open`ed and `close`d instead: nothing is then within them but what is told their
    `traceparent`.
    """

    __slots__ = ("_attributes", "_kind", "_name", "_span", "_token", "traceparent")

    def __init__(self, name: str, kind: Kind, parent: str | None, attributes: Mapping[str, Value] | None) -> None:
        self._name = name
        self._kind: Kind = kind
        self.traceparent = parent
        """What belongs to it says so with this; before it begins, what it belongs to. None: to no trace."""
        self._attributes = attributes
        self._span: ApiSpan | None = None
        self._token: Token[str | None] | None = None

    def open(self) -> "Span":
        """Begin, without being what the running task works on."""
        tracer = _Spans.tracer
        if tracer is not None:
            context = _context_of(self.traceparent)
            self._span = tracer.start_span(
                self._name, context=context, kind=_KINDS[self._kind], attributes=self._attributes
            )
            self.traceparent = _traceparent_of(self._span)
        return self

    def close(self) -> None:
        """End."""
        if self._span is not None:
            self._span.end()

    def __enter__(self) -> "Span":
        self.open()
        self._token = set_traceparent(self.traceparent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            reset_traceparent(self._token)
        if kind is not None and issubclass(kind, Exception):
            # Only the kind of error: its text may quote what no trace may hold.
            self.failed(kind.__name__)
        self.close()

    def failed(self, why: str) -> None:
        """Say that it failed: `why` is a class or a code, never a text that quotes somebody."""
        if self._span is not None:
            self._span.set_attribute("error.type", why)
            self._span.set_status(Status(StatusCode.ERROR))

    def says(self, name: str, value: Value) -> None:
        """Add an attribute."""
        if self._span is not None:
            self._span.set_attribute(name, value)


def span(name: str, kind: Kind = "internal", attributes: Mapping[str, Value] | None = None) -> Span:
    """A span within what the running task works on. Ids may be attributes; arguments, texts and results may not."""
    return Span(name, kind, current_traceparent(), attributes)


def span_of(
    traceparent: str | None, name: str, kind: Kind = "internal", attributes: Mapping[str, Value] | None = None
) -> Span:
    """A span within a trace that came from elsewhere: in a header, an event or a row. Without one, of a new trace."""
    return Span(name, kind, readable(traceparent), attributes)


def spans_are_made() -> bool:
    """Whether spans are made: for what would cost something only to have it ready."""
    return _Spans.tracer is not None


def _wanted(given: Mapping[str, str]) -> bool:
    exporters = given.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if given.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporters == "none":
        return False
    if exporters not in {"", "otlp"}:
        log.warning("only the exporter otlp is known: no spans are made", action="tracing_off", exporter=exporters)
        return False
    return exporters == "otlp" or any(given.get(name, "").strip() for name in _ENDPOINTS)


def _named(given: Mapping[str, str]) -> bool:
    return bool(given.get("OTEL_SERVICE_NAME")) or "service.name=" in given.get("OTEL_RESOURCE_ATTRIBUTES", "")


def _context_of(traceparent: str | None) -> Context:
    if traceparent is None:
        return Context()
    trace_id, span_id, flags = traceparent[3:35], traceparent[36:52], traceparent[53:55]
    parent = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _traceparent_of(span: ApiSpan) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
