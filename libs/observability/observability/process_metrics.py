"""What services tell of themselves as processes: the event loop and the event bus. In the lists of the services.

The bus is counted by `event_bus` and shown by whoever made it: `service_process`, or `threadworks run`.
"""

from typing import Final

from observability.heartbeat import LOOP_LAG
from observability.metrics import Metric

CONSUMED: Final = Metric(
    name="threadworks_events_consumed_total",
    kind="counter",
    help="Records taken from the event bus, by consumer group, topic and outcome: handled, skipped (a type that this "
    "service does not know or need), dead_lettered, given_up (delivered again later).",
    labels=("group", "topic", "outcome"),
)
"""What comes in, and what becomes of it."""

DEAD_LETTERS: Final = Metric(
    name="threadworks_dead_letters_total",
    kind="counter",
    help="Records that nobody could handle and that were written to threadworks.dead-letters.v1.",
    labels=("group", "topic"),
)
"""Should stand still: each one is a fault of ours or of a producer."""

CONSUMER_LAG: Final = Metric(
    name="threadworks_consumer_lag_records",
    kind="gauge",
    help="Records of the partitions that this process owns which its group has not acknowledged yet; at most ten "
    "seconds old. The lag of a group is the sum over its processes.",
    labels=("group", "topic"),
)
"""Work that waits in Kafka: it grows when all places are taken, and is 0 when idle."""

PROCESS_METRICS: Final = (LOOP_LAG,)
BUS_METRICS: Final = (CONSUMED, DEAD_LETTERS, CONSUMER_LAG)
"""Of services that are members of consumer groups."""
