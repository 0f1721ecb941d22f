"""OpenTelemetry's SDK, set up to export spans over OTLP. Imported by `tracing`, and only where spans are made."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter


def provider_of(attributes: dict[str, str], exporter: SpanExporter | None) -> TracerProvider:
    """Return a provider whose spans go to `exporter`, or where the environment says, from a thread of its own.

    `attributes` are those of the resource, on top of what the environment says.
    """
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter() if exporter is None else exporter))
    return provider
