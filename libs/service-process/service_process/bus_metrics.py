"""Shows what a bus counts as metrics. Called by whoever makes the bus: `process`, and `threadworks run`."""

from collections.abc import Mapping
from typing import Any

from event_bus import EventBus
from observability import Meters
from observability.metrics import Samples
from observability.process_metrics import CONSUMED, CONSUMER_LAG, DEAD_LETTERS

_DEAD = "dead_lettered"


def show_bus(bus: EventBus, meters: Meters) -> None:
    """Have the metrics of the event bus read from `bus` at each scrape."""
    meters.sampled(CONSUMED, lambda: _samples(bus.consumed()))
    meters.sampled(DEAD_LETTERS, lambda: _samples(_buried(bus.consumed())))
    meters.sampled(CONSUMER_LAG, lambda: _samples(bus.lag()))


def _buried(consumed: Mapping[tuple[str, str, str], int]) -> Mapping[tuple[str, str], int]:
    """Dead letters by group and topic, nought where there are none: what is not there cannot be seen to begin."""
    buried = {(group, topic): 0 for group, topic, _ in consumed}
    return buried | {(group, topic): count for (group, topic, ending), count in consumed.items() if ending == _DEAD}


def _samples(counts: Mapping[Any, int]) -> Samples:
    return counts
