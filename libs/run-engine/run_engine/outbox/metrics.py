"""What the relay of a process has published, as metrics. In the lists of both services on the engine."""

from collections.abc import Mapping
from typing import Any, Final

from observability import Meters, Metric
from observability.metrics import Samples

from run_engine.outbox.relay import Relay

RELAYED: Final = Metric(
    name="threadworks_relay_events_total",
    kind="counter",
    help="Events of the outbox, by type and outcome: published, retried (not acknowledged, tried again), rejected.",
    labels=("type", "outcome"),
)
"""Every event that anybody sees of a run passes here, so the types tell what happens to runs."""

BACKLOG: Final = Metric(
    name="threadworks_relay_backlog_events",
    kind="gauge",
    help="Committed events that the relay of this process knows of and has not published yet.",
)
"""Which process is behind, where the depth of the outbox says that one is."""

RUNS_ENDED: Final = Metric(
    name="threadworks_runs_ended_total",
    kind="counter",
    help="Runs that have ended, by status and reason (the code of the error, or why it is incomplete, else none).",
    labels=("status", "reason"),
)
"""Counted when the event of the end is published, by whichever process published it."""

RELAY_METRICS: Final = (RELAYED, BACKLOG, RUNS_ENDED)


def show_relay(relay: Relay, meters: Meters) -> None:
    """Have the metrics of the relay read at each scrape."""
    meters.sampled(RELAYED, lambda: _samples(relay.counts))
    meters.sampled(BACKLOG, lambda: {(): relay.backlog})
    meters.sampled(RUNS_ENDED, lambda: _samples(relay.runs_ended))


def _samples(counts: Mapping[Any, int]) -> Samples:
    return counts
