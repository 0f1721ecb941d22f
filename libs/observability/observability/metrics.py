"""What a metric is, and how the metrics of a process are counted and read.

Each service has one list of `Metric`s (`<service>/adapters/metrics.py`), from which the guide is generated. `Meters` is
made once a process, by `service_process` or `threadworks run`, and handed to the composition roots; `OpsServer` shows
what is in it. Code that knows nothing of Prometheus counts in plain numbers, which `Meters.sampled` reads when somebody
asks for them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeVar

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

__all__ = ["QUICK", "QUICK_OR_LONG", "SLOW", "Counter", "Gauge", "Histogram", "Meters", "Metric", "Samples"]

log = structlog.get_logger(__name__)

Samples: TypeAlias = Mapping[tuple[str, ...], float]
"""Values by the values of the labels, in the order of `Metric.labels`; `{(): 1.0}` for a metric without labels."""

REFRESH_SECONDS: Final = 2.0
"""How long a scrape waits for what has to be asked for: Prometheus gives one up after ten."""
FRESH_SECONDS: Final = 1.0
"""What was asked for so recently is not asked for again: several scrapers cost as much as one."""

QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets, in seconds, for what takes milliseconds."""
QUICK_OR_LONG: Final = (*QUICK, 30.0, 60.0, 300.0)
"""Buckets, in seconds, for what takes milliseconds unless somebody has to wait for something."""
SLOW: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Buckets, in seconds, for what waits for models and other people's servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. The values of `labels` must be few and known: never an id, a path or anything that a caller wrote.

    `merged` says what becomes of samples with the same labels from several services in one process, or several parts of
    one service.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = QUICK
    merged: Literal["sum", "max"] = "sum"


class Meters:
    """The metrics of one process. The same metric may be asked for by several services, and is one.

    Those that Prometheus' client has for every process (`process_…`: CPU, memory, file descriptors; `python_…`: the
    garbage collector) are in the registry as well.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        # One more series for each, with the time it was made: nobody asks for that.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._clock = clock
        self._made: dict[str, tuple[Metric, Counter | Gauge | Histogram | _Sampled]] = {}
        self._refreshers: list[Callable[[], Awaitable[None]]] = []
        self._refreshed: float | None = None
        self._refreshing = asyncio.Lock()

    def counter(self, metric: Metric) -> Counter:
        """Return what counts, made at the first call."""
        return self._one(metric, Counter, lambda: Counter(*_named(metric), registry=self.registry))

    def gauge(self, metric: Metric) -> Gauge:
        """Return what goes up and down, made at the first call."""
        return self._one(metric, Gauge, lambda: Gauge(*_named(metric), registry=self.registry))

    def histogram(self, metric: Metric) -> Histogram:
        """Return what counts durations in buckets, made at the first call."""
        return self._one(
            metric, Histogram, lambda: Histogram(*_named(metric), buckets=metric.buckets, registry=self.registry)
        )

    def sampled(self, metric: Metric, source: Callable[[], Samples]) -> None:
        """Have a counter or a gauge read from `source` at each scrape. Several sources of one metric are merged."""
        sampled = self._one(metric, _Sampled, lambda: _Sampled(metric))
        if not sampled.sources:
            self.registry.register(sampled)
        sampled.sources.append(source)

    def refreshed_by(self, refresher: Callable[[], Awaitable[None]]) -> None:
        """Have `refresher` awaited before a scrape: it gets what a source cannot read at once, from a database say."""
        self._refreshers.append(refresher)

    async def refresh(self) -> None:
        """Get ready for a scrape. Takes two seconds at the most, and never raises."""
        async with self._refreshing:
            now = self._clock()
            if self._refreshed is not None and now - self._refreshed < FRESH_SECONDS:
                return
            await asyncio.gather(*(_refreshed(refresher) for refresher in self._refreshers))
            self._refreshed = self._clock()

    def _one(self, metric: Metric, kind: type["_T"], make: Callable[[], "_T"]) -> "_T":
        found = self._made.get(metric.name)
        if found is None:
            made = make()
            self._made[metric.name] = (metric, made)
            return made
        known, made_before = found
        if known != metric or not isinstance(made_before, kind):
            raise ValueError(f"{metric.name} is defined twice, in two ways")
        return made_before


class _Sampled(Collector):
    """One metric whose values are read when they are asked for."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self.sources: list[Callable[[], Samples]] = []

    def describe(self) -> Iterable[Family]:
        """Name it, without reading: Prometheus' registry asks when it is registered."""
        return [self._family()]

    def collect(self) -> Iterator[Family]:
        """Read all sources."""
        merged: dict[tuple[str, ...], float] = {}
        for source in self.sources:
            for labels, value in source().items():
                if labels not in merged:
                    merged[labels] = value
                elif self._metric.merged == "sum":
                    merged[labels] += value
                else:
                    merged[labels] = max(merged[labels], value)
        family = self._family()
        for labels, value in merged.items():
            family.add_metric(labels, value)
        yield family

    def _family(self) -> CounterMetricFamily | GaugeMetricFamily:
        kind = CounterMetricFamily if self._metric.kind == "counter" else GaugeMetricFamily
        name, described, labels = _named(self._metric)
        return kind(name, described, labels=labels)


_T = TypeVar("_T", Counter, Gauge, Histogram, _Sampled)


def _named(metric: Metric) -> tuple[str, str, tuple[str, ...]]:
    return metric.name, metric.help, metric.labels


async def _refreshed(refresher: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(REFRESH_SECONDS):
            await refresher()
    except Exception as error:  # noqa: BLE001 - the other metrics are shown all the same
        log.warning("metrics could not be refreshed", action="metrics_not_refreshed", error=type(error).__name__)
