"""Writes the tables of metrics of docs/guides/observing.md from the lists: `python docs/metric_tables.py`.

A test holds the guide to the lists.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import gateway.adapters.metrics
import moodle_tool.adapters.metrics
import run_orchestrator.adapters.metrics
from observability import Metric
from observability.process_metrics import BUS_METRICS, PROCESS_METRICS
from run_engine.outbox.metrics import RELAY_METRICS
from run_engine.store.metrics import STORE_METRICS
from tool_service.metrics import TOOL_METRICS

GUIDE: Final = Path(__file__).parent / "guides" / "observing.md"
_TABLE: Final = re.compile(r"<!-- metrics: ([a-z -]+) -->\n.*?<!-- end -->\n", re.DOTALL)
_SHARED: Final = (*STORE_METRICS, *RELAY_METRICS, *TOOL_METRICS, *PROCESS_METRICS, *BUS_METRICS)

TABLES: Final[dict[str, Sequence[Metric]]] = {
    "gateway": [metric for metric in gateway.adapters.metrics.METRICS if metric not in _SHARED],
    "run-orchestrator": [metric for metric in run_orchestrator.adapters.metrics.METRICS if metric not in _SHARED],
    "moodle-tool": [metric for metric in moodle_tool.adapters.metrics.METRICS if metric not in _SHARED],
    "tool services": TOOL_METRICS,
    "engine": [*STORE_METRICS, *RELAY_METRICS],
    "processes": [*PROCESS_METRICS, *BUS_METRICS],
}


def written(guide: str) -> str:
    """Return the guide with its tables as the lists say. Raises KeyError for a table of something else."""
    return _TABLE.sub(lambda found: f"<!-- metrics: {found[1]} -->\n{_table(TABLES[found[1]])}<!-- end -->\n", guide)


def tables_of(guide: str) -> list[str]:
    """Return the names of the tables in a guide."""
    return [found[1] for found in _TABLE.finditer(guide)]


def _table(metrics: Sequence[Metric]) -> str:
    rows = ["| metric | kind | labels | what it is |", "|---|---|---|---|"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join([*rows, ""])


def main() -> None:
    """Rewrite the guide."""
    GUIDE.write_text(written(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
