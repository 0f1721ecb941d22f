"""The metrics of the gateway, all of them in one list. `bootstrap` hands them out; the guide is generated from it."""

from collections.abc import Callable
from typing import Final

from observability.metrics import QUICK_OR_LONG, Counter, Histogram, Meters, Metric
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
    buckets=QUICK_OR_LONG,
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

FEEDS: Final = Metric(
    name="threadworks_open_feeds",
    kind="gauge",
    help="Subscribers of the feed of public events (GET /v1/events) that this process serves now.",
)
"""There may be a thousand."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})

METRICS: Final = (REQUESTS, DURATION, STREAMS, WAITS, FEEDS, *STORE_METRICS, *RELAY_METRICS, *PROCESS_METRICS)


def show_listeners(meters: Meters, *, streams: Callable[[], int], waits: Callable[[], int]) -> None:
    """Have the open streams and waits counted at each scrape."""
    meters.sampled(STREAMS, lambda: {(): streams()})
    meters.sampled(WAITS, lambda: {(): waits()})


def show_subscribers(meters: Meters, subscribers: Callable[[], int]) -> None:
    """Have the subscribers of the feed counted at each scrape."""
    meters.sampled(FEEDS, lambda: {(): subscribers()})


class RequestMeter:
    """Counts the replies of all paths."""

    def __init__(self, meters: Meters) -> None:
        self._requests = meters.counter(REQUESTS)
        self._durations = meters.histogram(DURATION)

    def of(self, dialect: str, route: str) -> "RouteMeter":
        """Return what counts the replies of one path."""
        return RouteMeter(self._requests, self._durations, dialect, route)


class RouteMeter:
    """Counts the replies of one path."""

    def __init__(self, requests: Counter, durations: Histogram, dialect: str, route: str) -> None:
        self._requests = requests
        self._durations = durations
        self._dialect = dialect
        self._route = route
        # Finding a series by its labels costs three times as much as counting in it.
        self._found: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, status: int, seconds: float | None) -> None:
        """Count a reply."""
        found = self._found.get((method, status))
        if found is None:
            found = self._find(method, status)
        found[0].inc()
        if seconds is not None:
            found[1].observe(seconds)

    def _find(self, method: str, status: int) -> tuple[Counter, Histogram]:
        # What is no method of HTTP is whatever a client wrote.
        known = method if method in _METHODS else "other"
        found = (
            self._requests.labels(self._dialect, self._route, known, str(status)),
            self._durations.labels(self._dialect, self._route, known),
        )
        if known == method:
            self._found[method, status] = found
        return found
