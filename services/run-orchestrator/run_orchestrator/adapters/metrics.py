"""The metrics of the run-orchestrator, all of them in one list.

`bootstrap` hands them out; the guide is generated from the list.
"""

from collections.abc import Callable
from typing import Final

from observability.metrics import QUICK_OR_LONG, SLOW, Meters, Metric
from observability.process_metrics import BUS_METRICS, PROCESS_METRICS
from run_engine.outbox.metrics import RELAY_METRICS
from run_engine.store.metrics import STORE_METRICS

CLAIM_LATENCY: Final = Metric(
    name="threadworks_run_claim_latency_seconds",
    kind="histogram",
    help="Seconds that a run was queued before it was claimed, at its start and after each round of tools.",
    buckets=QUICK_OR_LONG,
)
"""What users wait for before the model is asked."""

DRIVEN: Final = Metric(
    name="threadworks_runs_driven",
    kind="gauge",
    help="Runs that this process drives now.",
)
"""How busy it is."""

PLACES: Final = Metric(
    name="threadworks_run_places",
    kind="gauge",
    help="Most runs that this process drives at once; 0 until it claims.",
)
"""What the driven ones are compared with: at the limit the rest waits in Kafka and in the queue."""

FIRST_TOKEN: Final = Metric(
    name="threadworks_model_first_token_seconds",
    kind="histogram",
    help="Seconds from asking the model to the first piece of its reply.",
    buckets=SLOW,
)
"""The model's own share of what a user waits for."""

MODEL: Final = Metric(
    name="threadworks_model_request_duration_seconds",
    kind="histogram",
    help="Seconds from asking the model to the end of its reply, by outcome: answered, interrupted (the run was), or "
    "the kind of its failure.",
    labels=("outcome",),
    buckets=SLOW,
)
"""One request; a run makes one for each round of tools, and more where the model fails."""

TOKENS: Final = Metric(
    name="threadworks_tokens_total",
    kind="counter",
    help="Tokens of the model's replies and of what it was asked, by kind: prompt, completion.",
    labels=("kind",),
)
"""What the model's owner sends a bill for."""

TOOL_LATENCY: Final = Metric(
    name="threadworks_tool_latency_seconds",
    kind="histogram",
    help="Seconds from handing out a call to its stored answer, by tool service and outcome: completed, failed, "
    "timed_out.",
    labels=("service", "outcome"),
    buckets=SLOW,
)
"""What a run waits for, the way through Kafka included. Late and repeated answers are not counted."""

METRICS: Final = (
    CLAIM_LATENCY,
    DRIVEN,
    PLACES,
    FIRST_TOKEN,
    MODEL,
    TOKENS,
    TOOL_LATENCY,
    *STORE_METRICS,
    *RELAY_METRICS,
    *PROCESS_METRICS,
    *BUS_METRICS,
)


class OrchestratorMeter:
    """Counts what happens to runs here."""

    def __init__(self, meters: Meters) -> None:
        self._claims = meters.histogram(CLAIM_LATENCY)
        self._first_tokens = meters.histogram(FIRST_TOKEN)
        self._models = meters.histogram(MODEL)
        self._tokens = meters.counter(TOKENS)
        self._tools = meters.histogram(TOOL_LATENCY)

    def claimed(self, queued_seconds: float) -> None:
        """Count a claim."""
        self._claims.observe(queued_seconds)

    def first_token(self, seconds: float) -> None:
        """Count the beginning of a reply."""
        self._first_tokens.observe(seconds)

    def model_done(self, seconds: float, outcome: str) -> None:
        """Count the end of a request to the model: `answered`, `interrupted`, or the kind of the failure."""
        self._models.labels(outcome).observe(seconds)

    def tokens(self, prompt: int, completion: int) -> None:
        """Count the tokens of a step."""
        self._tokens.labels("prompt").inc(prompt)
        self._tokens.labels("completion").inc(completion)

    def tool_answered(self, service: str, outcome: str, seconds: float) -> None:
        """Count an answer that was stored."""
        self._tools.labels(service, outcome).observe(seconds)


def show_places(meters: Meters, *, driven: Callable[[], int], places: Callable[[], int]) -> None:
    """Have the runs that are driven, and the places for them, counted at each scrape."""
    meters.sampled(DRIVEN, lambda: {(): driven()})
    meters.sampled(PLACES, lambda: {(): places()})
