"""Alerts and dashboard ask for metrics that the services have, with labels that they have, in readable PromQL."""

import json
import re
from collections.abc import Iterator

import promql_parser
import pytest
import yaml
from gateway.adapters.metrics import METRICS as GATEWAY
from generate import ROWS, dashboard
from manifests_under_test.rendered import FOLDER
from moodle_tool.adapters.metrics import METRICS as MOODLE_TOOL
from observability.metrics import Metric
from run_orchestrator.adapters.metrics import METRICS as RUN_ORCHESTRATOR

METRICS = {metric.name: metric for metric in (*GATEWAY, *RUN_ORCHESTRATOR, *MOODLE_TOOL)}
GIVEN_BY_PROMETHEUS = {"job", "pod", "namespace", "instance"}
RULES = yaml.safe_load((FOLDER / "components/monitoring/alerts.yaml").read_text())["spec"]["groups"][0]["rules"]
PANELS = [target["expr"] for _, row in ROWS for panel in row for target in panel["targets"]]
SERIES = re.compile(r"\b(threadworks_\w+|up|process_\w+)\b(?:\{([^}]*)\})?")
BY = re.compile(r"\bby \(([^)]*)\)")


def problems(query: str) -> Iterator[str]:
    """What is wrong with a query."""
    promql_parser.parse(query)
    labels = set()
    for name, matchers in SERIES.findall(query):
        if name == "up" or name.startswith("process_"):
            continue
        metric = _metric(name)
        if metric is None:
            yield f"no metric {name}"
            continue
        labels |= set(metric.labels) | ({"le"} if name.endswith("_bucket") else set())
        for matcher in filter(None, matchers.split(",")):
            label = re.split(r"[=!]", matcher)[0].strip()
            if label not in {*metric.labels, *GIVEN_BY_PROMETHEUS}:
                yield f"{name} has no label {label}"
    for group in BY.findall(query):
        for label in (each.strip() for each in group.split(",")):
            if label not in labels | GIVEN_BY_PROMETHEUS:
                yield f"by {label}: no metric has it"


def _metric(series: str) -> Metric | None:
    if series in METRICS:
        return METRICS[series] if METRICS[series].kind != "histogram" else None
    base, _, part = series.rpartition("_")
    found = METRICS.get(base)
    return found if found is not None and found.kind == "histogram" and part in ("bucket", "count", "sum") else None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is_and_says_what_it_means(rule: dict[str, dict[str, str]]) -> None:
    assert list(problems(str(rule["expr"]))) == []
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")
    assert rule["annotations"]["runbook"] == f"docs/guides/operate.md#{str(rule['alert']).lower()}"


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) > 10


@pytest.mark.parametrize("query", PANELS)
def test_a_panel_asks_for_what_there_is(query: str) -> None:
    assert list(problems(query)) == []


def test_every_metric_of_ours_is_on_the_dashboard_or_wakes_somebody() -> None:
    asked = " ".join([*PANELS, *(rule["expr"] for rule in RULES)])
    # What an operator looks up by hand, when one of the others has led there.
    by_hand = {
        "threadworks_relay_events_total",
        "threadworks_relay_backlog_events",
        "threadworks_tool_call_duration_seconds",
    }
    unseen = {name for name in METRICS if not re.search(rf"\b{name}(_bucket|_count|_sum)?\b", asked)}
    assert unseen <= by_hand


@pytest.mark.parametrize(
    "query",
    [
        "max(threadworks_no_such_metric)",
        "max(threadworks_run_claim_latency_seconds)",
        'sum(threadworks_runs{colour="red"})',
        "sum by (colour) (threadworks_runs)",
        "max(threadworks_runs_bucket)",
    ],
)
def test_a_mistake_in_a_query_is_seen(query: str) -> None:
    assert list(problems(query)) != []


def test_promql_that_cannot_be_read_is_seen() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        list(problems("sum(threadworks_runs"))


def test_panels_of_the_dashboard_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(json.dumps(dashboard()))["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        assert at["x"] + at["w"] <= 24
