"""What a tool service counts about its calls. In the list of every tool service."""

from typing import Final

from observability.metrics import SLOW, Metric

CALLS: Final = Metric(
    name="threadworks_tool_call_duration_seconds",
    kind="histogram",
    help="Seconds that a tool function took, by service, function (unknown: none of that name) and outcome: completed, "
    "failed, deadline_exceeded.",
    labels=("service", "function", "outcome"),
    buckets=SLOW,
)
"""Calls that are executed; a repeated delivery of an answered call is not executed again."""

TOOL_METRICS: Final = (CALLS,)
