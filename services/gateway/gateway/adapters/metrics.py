"""The metrics of the gateway, all of them in one list. `bootstrap` hands them out; the guide is generated from it."""

from typing import Final

from observability.metrics import QUICK, Metric
from observability.process_metrics import PROCESS_METRICS
from run_engine.outbox.metrics import RELAY_METRICS
from run_engine.store.metrics import STORE_METRICS

REQUESTS: Final = Metric(
    name="threadworks_http_requests_total",
    kind="counter",
    help="HTTP requests answered, by dialect, route (its template), method and status.",
    labels=("dialect", "route", "method", "status"),
)
"""What is asked for, and what fails."""

DURATION: Final = Metric(
    name="threadworks_http_request_duration_seconds",
    kind="histogram",
    help="Seconds from a request to its reply, or to the beginning of its stream, by dialect, route and method.",
    labels=("dialect", "route", "method"),
    buckets=QUICK,
)
"""What clients wait for."""

STREAMS: Final = Metric(
    name="threadworks_open_streams",
    kind="gauge",
    help="Streams of runs that clients of this process read now.",
)
"""How many connections a restart of this process breaks."""

WAITS: Final = Metric(
    name="threadworks_open_waits",
    kind="gauge",
    help="Requests of this process that wait for a run to end before they are answered.",
)
"""Of the dialects that answer with the end of a run."""

METRICS: Final = (REQUESTS, DURATION, STREAMS, WAITS, *STORE_METRICS, *RELAY_METRICS, *PROCESS_METRICS)
