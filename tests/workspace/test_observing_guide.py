"""The guide shows every metric of every list, as the lists are now."""

from pathlib import Path

import gateway.adapters.metrics
import metric_tables as tables
import moodle_tool.adapters.metrics
import pytest
import run_orchestrator.adapters.metrics
from observability import Metric

ROOT = Path(__file__).parents[2]
LISTS = {
    "gateway": gateway.adapters.metrics.METRICS,
    "run-orchestrator": run_orchestrator.adapters.metrics.METRICS,
    "moodle-tool": moodle_tool.adapters.metrics.METRICS,
}
UNITS = ("_seconds", "_total", "_records", "_events", "_connections", "_limit")
COUNTED = {
    "threadworks_runs",
    "threadworks_runs_driven",
    "threadworks_run_places",
    "threadworks_open_streams",
    "threadworks_open_waits",
    "threadworks_open_feeds",
}
"""What is counted is the unit."""


def test_the_tables_are_as_the_lists_say() -> None:
    guide = tables.GUIDE.text()
    assert tables.GUIDE.written() == guide, "run `python docs/metric_tables.py`"
    assert tables.GUIDE.names() == list(tables.TABLES)


def test_a_metric_that_is_new_or_gone_is_noticed() -> None:
    guide = tables.GUIDE.text()
    new = Metric(name="threadworks_new_total", kind="counter", help="New.")
    tables.TABLES["gateway"].append(new)
    try:
        assert tables.GUIDE.written() != guide
    finally:
        tables.TABLES["gateway"].remove(new)


@pytest.mark.parametrize("metrics", LISTS.values(), ids=LISTS)
def test_every_metric_of_a_service_is_in_the_guide(metrics: tuple[Metric, ...]) -> None:
    guide = tables.GUIDE.text()
    assert [metric.name for metric in metrics if f"| `{metric.name}` |" not in guide] == []


@pytest.mark.parametrize("metrics", LISTS.values(), ids=LISTS)
def test_names_and_labels_follow_the_conventions(metrics: tuple[Metric, ...]) -> None:
    names = [metric.name for metric in metrics]
    assert len(names) == len(set(names))
    for metric in metrics:
        assert metric.name.startswith("threadworks_")
        assert metric.name.endswith("_total") is (metric.kind == "counter"), metric.name
        assert metric.kind != "histogram" or metric.name.endswith("_seconds"), metric.name
        assert metric.name.endswith(UNITS) or metric.name in COUNTED, metric.name
        assert metric.help.endswith(".")
        assert not {"id", "run_id", "tenant", "path", "model", "thread_id"} & set(metric.labels), metric.name
