"""Writes what the manifests repeat of other places: Kafka's topics and users from the contracts, and the dashboard.

Run it after a change of `contracts/message_contracts/topics` or of a service's list of metrics:
`python deploy/k8s/generate.py`. A test says when that was forgotten.
"""

import json
from pathlib import Path
from typing import Any, Final

import yaml
from event_bus.kafka_admin import topic_configs
from message_contracts.catalogue import Topic, tool_calls_topic, topics

HERE: Final = Path(__file__).parent
CLUSTER: Final = "kafka"
"""Name of the Strimzi cluster that topics and users are for; an overlay patches it."""
REPLICAS: Final = 3
TOOL_SERVICES: Final = ("moodle",)
ENGINE: Final = ("gateway", "run-orchestrator")
GROUPS: Final = {
    "run-orchestrator": ("run-orchestrator", "run-orchestrator-tool-results"),
    "moodle-tool": ("tool-service.moodle",),
    "scaler": ("run-orchestrator", "tool-service.moodle"),
}
"""Consumer groups by service; a test compares them with the code."""
DEAD_LETTERS: Final = "threadworks.dead-letters.v1"

Object = dict[str, Any]


def all_topics() -> list[Topic]:
    """Every topic of an installation, by name."""
    return sorted([*topics(), *(tool_calls_topic(name) for name in TOOL_SERVICES)], key=lambda topic: topic.name)


def kafka_topics() -> list[Object]:
    """The topics as Strimzi's objects."""
    return [
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaTopic",
            "metadata": {"name": topic.name, "labels": {"strimzi.io/cluster": CLUSTER}},
            "spec": {
                "partitions": topic.partitions,
                "replicas": REPLICAS,
                "config": {name: _typed(value) for name, value in topic_configs(topic, REPLICAS).items()},
            },
        }
        for topic in all_topics()
    ]


def kafka_users() -> list[Object]:
    """A user for each program, with what it needs and no more."""
    return [
        _user("gateway", [*_written_by_engine(), *_read_by("gateway")]),
        _user("run-orchestrator", [*_written_by_engine(), *_read_by("run-orchestrator"), *_groups("run-orchestrator")]),
        _user("moodle-tool", [*_written_by("tool-services"), *_read_by("moodle"), *_groups("moodle-tool")]),
        _user("operator", _operators()),
        _user("scaler", _scalers()),
    ]


def _written_by_engine() -> list[Object]:
    # A relay publishes the older events of its runs whoever wrote them, and the sweeper adopts those of the dead: so
    # what one of the two produces by the contracts, either may send.
    written = [topic for topic in all_topics() if set(topic.producers) & set(ENGINE)]
    return [_may("topic", topic.name, "Describe", "Write") for topic in written]


def _written_by(producer: str) -> list[Object]:
    return [_may("topic", topic.name, "Describe", "Write") for topic in all_topics() if producer in topic.producers]


def _read_by(consumer: str) -> list[Object]:
    return [_may("topic", topic.name, "Describe", "Read") for topic in all_topics() if consumer in topic.consumers]


def _groups(user: str, *operations: str) -> list[Object]:
    return [_may("group", group, *(operations or ("Describe", "Read"))) for group in GROUPS[user]]


def _operators() -> list[Object]:
    """Reads dead letters and sends them again where they came from. Topics are made by Strimzi."""
    rules = [_may("topic", DEAD_LETTERS, "Describe", "Read", "Write")]
    others = [topic for topic in all_topics() if topic.name != DEAD_LETTERS]
    return rules + [_may("topic", topic.name, "Describe", "Write") for topic in others]


def _scalers() -> list[Object]:
    consumed = [topic for topic in all_topics() if topic.name in SCALED_BY]
    return [*(_may("topic", topic.name, "Describe") for topic in consumed), *_groups("scaler", "Describe")]


SCALED_BY: Final = frozenset(
    {"threadworks.messages.v1", "threadworks.run-commands.v1", "threadworks.tool-calls.moodle.v1"}
)
"""Topics whose lag KEDA reads."""


def _user(name: str, rules: list[Object]) -> Object:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": f"threadworks-{name}", "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": rules},
        },
    }


def _may(kind: str, name: str, *operations: str) -> Object:
    return {
        "resource": {"type": kind, "name": name, "patternType": "literal"},
        "operations": list(operations),
    }


def _typed(value: str) -> int | str:
    return int(value) if value.isdigit() else value


def panel(title: str, unit: str, *queries: tuple[str, str]) -> Object:
    """A graph: its title, the unit of its axis, and (PromQL, legend) for each line."""
    return {
        "type": "timeseries",
        "title": title,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 10}}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query, "legendFormat": legend}
            for number, (query, legend) in enumerate(queries)
        ],
    }


def _quantiles(metric: str, by: str = "") -> tuple[tuple[str, str], ...]:
    labels, legend = (f"le, {by}", f"{{{{{by}}}}} ") if by else ("le", "")
    return tuple(
        (f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket[5m])))", f"{legend}{name}")
        for share, name in ((0.5, "p50"), (0.99, "p99"))
    )


ROWS: Final[tuple[tuple[str, tuple[Object, ...]], ...]] = (
    (
        "Runs",
        (
            panel("Unfinished runs", "short", ("max by (status) (threadworks_runs)", "{{status}}")),
            panel(
                "Runs ended",
                "ops",
                ("sum by (status, reason) (rate(threadworks_runs_ended_total[5m]))", "{{status}} {{reason}}"),
            ),
            panel("Longest in the queue", "s", ("max(threadworks_run_queue_age_seconds)", "queue age")),
            panel("Queued until claimed", "s", *_quantiles("threadworks_run_claim_latency_seconds")),
            panel(
                "Places",
                "short",
                ("sum(threadworks_runs_driven)", "driven"),
                ("sum(threadworks_run_places)", "places"),
            ),
        ),
    ),
    (
        "Clients",
        (
            panel(
                "Requests",
                "reqps",
                ("sum by (dialect, status) (rate(threadworks_http_requests_total[5m]))", "{{dialect}} {{status}}"),
            ),
            panel("Until the reply", "s", *_quantiles("threadworks_http_request_duration_seconds", "dialect")),
            panel(
                "Open streams, feeds and waits",
                "short",
                ("sum(threadworks_open_streams)", "streams"),
                ("sum(threadworks_open_feeds)", "feeds"),
                ("sum(threadworks_open_waits)", "waits"),
            ),
        ),
    ),
    (
        "Model and tools",
        (
            panel("Model: first token", "s", *_quantiles("threadworks_model_first_token_seconds")),
            panel(
                "Model: requests by outcome",
                "reqps",
                ("sum by (outcome) (rate(threadworks_model_request_duration_seconds_count[5m]))", "{{outcome}}"),
            ),
            panel("Tokens", "short", ("sum by (kind) (rate(threadworks_tokens_total[5m]))", "{{kind}} a second")),
            panel("Tools: until the answer is stored", "s", *_quantiles("threadworks_tool_latency_seconds", "service")),
            panel(
                "Moodle: requests by outcome",
                "reqps",
                ("sum by (outcome) (rate(threadworks_moodle_request_duration_seconds_count[5m]))", "{{outcome}}"),
            ),
        ),
    ),
    (
        "Events",
        (
            panel("Outbox", "short", ("max(threadworks_outbox_events)", "events not published")),
            panel("Outbox: oldest event", "s", ("max(threadworks_outbox_age_seconds)", "age")),
            panel(
                "Consumer lag",
                "short",
                ("sum by (group, topic) (threadworks_consumer_lag_records)", "{{group}} {{topic}}"),
            ),
            panel(
                "Consumed by outcome",
                "ops",
                ("sum by (group, outcome) (rate(threadworks_events_consumed_total[5m]))", "{{group}} {{outcome}}"),
            ),
            panel(
                "Dead letters and set aside",
                "short",
                ("sum by (topic) (increase(threadworks_dead_letters_total[1h]))", "dead letters of {{topic}} in 1 h"),
                ("max(threadworks_outbox_rejected_events)", "set aside"),
            ),
        ),
    ),
    (
        "Processes",
        (
            panel("Event loop: late by", "s", *_quantiles("threadworks_event_loop_lag_seconds", "job")),
            panel(
                "Database connections",
                "short",
                ('sum by (job) (threadworks_database_connections{state="busy"})', "{{job}} busy"),
                ("sum by (job) (threadworks_database_connections_limit)", "{{job}} limit"),
            ),
            panel("Processes", "short", ('sum by (job) (up{namespace="threadworks"})', "{{job}}")),
            panel(
                "Memory",
                "bytes",
                ('max by (job) (process_resident_memory_bytes{namespace="threadworks"})', "{{job}}, the largest"),
            ),
        ),
    ),
)


def dashboard() -> Object:
    """The dashboard in Grafana's format: a row for each group, three panels wide."""
    panels: list[Object] = []
    y = 0
    for title, row in ROWS:
        panels.append({"type": "row", "title": title, "collapsed": False, "gridPos": _at(0, y, 24, 1), "panels": []})
        y += 1
        for number, each in enumerate(row):
            panels.append(each | {"gridPos": _at(number % 3 * 8, y + number // 3 * 8, 8, 8)})
        y += (len(row) + 2) // 3 * 8
    return {
        "uid": "threadworks",
        "title": "Threadworks",
        "tags": ["threadworks"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [each | {"id": number} for number, each in enumerate(panels, start=1)],
    }


def _at(x: int, y: int, width: int, height: int) -> Object:
    return {"x": x, "y": y, "w": width, "h": height}


def written() -> dict[Path, str]:
    """What stands in each generated file."""
    header = "# Generated from contracts/message_contracts/topics by deploy/k8s/generate.py. Do not edit.\n"
    return {
        HERE / "components/strimzi/topics.yaml": header + yaml.safe_dump_all(kafka_topics(), sort_keys=False),
        HERE / "components/strimzi/users.yaml": header + yaml.safe_dump_all(kafka_users(), sort_keys=False),
        HERE / "components/monitoring/dashboard.json": json.dumps(dashboard(), indent=2) + "\n",
    }


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
