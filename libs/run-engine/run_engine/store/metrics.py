"""What the database says about runs and events, as metrics, and the connections to it. In the lists of both services.

Read once a scrape by one statement. Every process on the engine tells the same of the whole installation: an alert
takes the `max` over them.
"""

from typing import Final

from observability import Meters, Metric
from observability.metrics import Samples

from run_engine.domain.status import UNFINISHED
from run_engine.store.database import Database, Row

RUNS: Final = Metric(
    name="threadworks_runs",
    kind="gauge",
    help="Runs that have not ended, by status, in the whole installation; counted up to 100 000.",
    labels=("status",),
    merged="max",
)
"""How much there is to do, and what it waits for."""

QUEUE_AGE: Final = Metric(
    name="threadworks_run_queue_age_seconds",
    kind="gauge",
    help="How long the run has been queued that waits longest for an orchestrator; 0 when none waits.",
    merged="max",
)
"""Whether there are enough orchestrators: scale on this, alert on this."""

OUTBOX_DEPTH: Final = Metric(
    name="threadworks_outbox_events",
    kind="gauge",
    help="Committed events that are not published yet, in the whole installation; counted up to 100 000.",
    merged="max",
)
"""Grows while Kafka is away, and goes back to nothing after."""

OUTBOX_AGE: Final = Metric(
    name="threadworks_outbox_age_seconds",
    kind="gauge",
    help="Age of the oldest event that is not published yet; 0 when there is none.",
    merged="max",
)
"""How late the public feed is."""

OUTBOX_REJECTED: Final = Metric(
    name="threadworks_outbox_rejected_events",
    kind="gauge",
    help="Events that can never be published and were set aside in outbox_rejected, for a person to look at.",
    merged="max",
)
"""Should be 0: each one is a fault."""

CONNECTIONS: Final = Metric(
    name="threadworks_database_connections",
    kind="gauge",
    help="Connections of this process's pool to PostgreSQL, by state: busy or idle.",
    labels=("state",),
)
"""All of them busy for long: statements queue up in front of the pool."""

CONNECTIONS_LIMIT: Final = Metric(
    name="threadworks_database_connections_limit",
    kind="gauge",
    help="Most connections that this process's pool may have.",
)
"""What the busy ones are compared with."""

STORE_METRICS: Final = (
    RUNS,
    QUEUE_AGE,
    OUTBOX_DEPTH,
    OUTBOX_AGE,
    OUTBOX_REJECTED,
    CONNECTIONS,
    CONNECTIONS_LIMIT,
)

MOST_COUNTED: Final = 100_000
"""Runs and events that are counted: more of either is a number that says the same."""


def show_store(database: Database, meters: Meters) -> None:
    """Have the metrics of the database asked for before each scrape, and those of the pool read."""
    figures = _Figures(database)
    meters.refreshed_by(figures.ask)
    meters.sampled(RUNS, figures.runs)
    meters.sampled(QUEUE_AGE, lambda: figures.one("queue_age"))
    meters.sampled(OUTBOX_DEPTH, lambda: figures.one("outbox_depth"))
    meters.sampled(OUTBOX_AGE, lambda: figures.one("outbox_age"))
    meters.sampled(OUTBOX_REJECTED, lambda: figures.one("outbox_rejected"))
    meters.sampled(CONNECTIONS, lambda: {("busy",): database.busy, ("idle",): database.idle})
    meters.sampled(CONNECTIONS_LIMIT, lambda: {(): database.limit})


class _Figures:
    """The answer of the database for one scrape. Without one nothing is shown: an old figure would be a wrong one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._row: Row | None = None

    async def ask(self) -> None:
        self._row = None
        self._row = await self._database.row("figures", limit=MOST_COUNTED)

    def runs(self) -> Samples:
        row = self._row
        return {} if row is None else {(status.value,): row["runs"].get(status.value, 0) for status in UNFINISHED}

    def one(self, name: str) -> Samples:
        row = self._row
        return {} if row is None else {(): row[name]}
