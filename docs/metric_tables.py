"""Writes the tables of metrics of docs/guides/observing.md from the lists: `python docs/metric_tables.py`.

A test holds the guide to the lists.
"""

from collections.abc import Sequence
from typing import Final

import gateway.adapters.metrics
import moodle_tool.adapters.metrics
import run_orchestrator.adapters.metrics
from guide_parts import GuideParts
from observability import Metric
from observability.process_metrics import BUS_METRICS, PROCESS_METRICS
from run_engine.outbox.metrics import RELAY_METRICS
from run_engine.store.metrics import STORE_METRICS
from tool_service.metrics import TOOL_METRICS

_SHARED: Final = (*STORE_METRICS, *RELAY_METRICS, *TOOL_METRICS, *PROCESS_METRICS, *BUS_METRICS)

TABLES: Final[dict[str, Sequence[Metric]]] = {
    "gateway": [metric for metric in gateway.adapters.metrics.METRICS if metric not in _SHARED],
    "run-orchestrator": [metric for metric in run_orchestrator.adapters.metrics.METRICS if metric not in _SHARED],
    "moodle-tool": [metric for metric in moodle_tool.adapters.metrics.METRICS if metric not in _SHARED],
    "tool services": TOOL_METRICS,
    "engine": [*STORE_METRICS, *RELAY_METRICS],
    "processes": [*PROCESS_METRICS, *BUS_METRICS],
}


def _table(metrics: Sequence[Metric]) -> str:
    rows = ["| metric | kind | labels | what it is |", "|---|---|---|---|"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join([*rows, ""])


GUIDE: Final = GuideParts("observing.md", "metrics", lambda name: _table(TABLES[name]))

if __name__ == "__main__":
    GUIDE.write()
