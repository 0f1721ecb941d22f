"""Receives spans as a collector does: OTLP over HTTP, in protobuf. For the tests across services."""

import gzip
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class ReceivedSpan:
    """One span; ids in hexadecimal digits, `parent` is empty for the first of a trace."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool


class SpanReceiver:
    """`with SpanReceiver() as receiver:` listens on `receiver.url`."""

    def __init__(self) -> None:
        self._spans: list[ReceivedSpan] = []
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver._take(ExportTraceServiceRequest.FromString(body))
                reply = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="span-receiver")
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, request: ExportTraceServiceRequest) -> None:
        found = []
        for resource in request.resource_spans:
            service = _values(resource.resource.attributes).get("service.name", "")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    failed = span.status.code == 2
                    found.append(ReceivedSpan(service, span.name, *ids, _values(span.attributes), failed))
        with self._changed:
            self._spans.extend(found)
            self._changed.notify_all()

    def of(self, trace: str) -> list[ReceivedSpan]:
        """The spans of a trace that have come so far."""
        with self._changed:
            return [span for span in self._spans if span.trace == trace]

    def wait_for(self, trace: str, numbers: Mapping[str, int], seconds: float = 30.0) -> list[ReceivedSpan]:
        """Return all spans of a trace once there are so many of each of these names."""

        def are_there() -> bool:
            names = Counter(span.name for span in self._spans if span.trace == trace)
            return all(names[name] >= number for name, number in numbers.items())

        with self._changed:
            came = self._changed.wait_for(are_there, seconds)
        found = self.of(trace)
        assert came, f"{dict(numbers)} are not in {sorted(span.name for span in found)}"
        return found

    @property
    def spans(self) -> list[ReceivedSpan]:
        """All that has come."""
        with self._changed:
            return list(self._spans)


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
