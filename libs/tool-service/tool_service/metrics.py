"""What a tool service counts about its calls. In the list of every tool service."""

from typing import Final

from observability.metrics import SLOW, Meters, Metric

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

UNKNOWN: Final = "unknown"
"""Takes the place of a function's name that the service does not have: a model may have made it up."""


class ToolMeter:
    """Counts the calls of a tool service."""

    def __init__(self, meters: Meters) -> None:
        self._calls = meters.histogram(CALLS)

    def called(self, service: str, function: str, outcome: str, seconds: float) -> None:
        """Count a call that was executed; `outcome` is completed, failed or deadline_exceeded."""
        self._calls.labels(service, function, outcome).observe(seconds)
