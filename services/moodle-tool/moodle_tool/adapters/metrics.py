"""The metrics of moodle-tool, all of them in one list. `bootstrap` hands them out; the guide is generated from it."""

from typing import Final

from observability.metrics import QUICK, Meters, Metric
from observability.process_metrics import BUS_METRICS, PROCESS_METRICS
from tool_service.metrics import TOOL_METRICS

MOODLE_REQUESTS: Final = Metric(
    name="threadworks_moodle_request_duration_seconds",
    kind="histogram",
    help="Seconds that one request to Moodle took, by outcome: ok, interrupted, or the code of the failure.",
    labels=("outcome",),
    buckets=QUICK,
)
"""One try; a call may take three."""

METRICS: Final = (MOODLE_REQUESTS, *TOOL_METRICS, *PROCESS_METRICS, *BUS_METRICS)


class MoodleMeter:
    """Counts requests to Moodle."""

    def __init__(self, meters: Meters) -> None:
        self._requests = meters.histogram(MOODLE_REQUESTS)

    def requested(self, seconds: float, outcome: str) -> None:
        """Count a request with the code of its failure, or `ok`, or `interrupted`."""
        self._requests.labels(outcome).observe(seconds)
