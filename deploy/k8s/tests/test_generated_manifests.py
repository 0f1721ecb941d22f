"""Generated files are what their sources say now, and what repeats code is still the same."""

from pathlib import Path

import pytest
from generate import GROUPS, SCALED_BY, written
from manifests_under_test.rendered import FOLDER
from run_orchestrator.entrypoints.consumers import COMMANDS_GROUP, RESULTS_GROUP
from threadworks.local_servers.kafka_properties import server_properties


@pytest.mark.parametrize("path", written(), ids=lambda path: path.name)
def test_a_generated_file_is_as_it_would_be_generated(path: Path) -> None:
    assert path.read_text() == written()[path], "run: python deploy/k8s/generate.py"


def test_groups_are_those_of_the_code() -> None:
    assert GROUPS["run-orchestrator"] == (COMMANDS_GROUP, RESULTS_GROUP)
    assert GROUPS["scaler"] == (COMMANDS_GROUP, *GROUPS["moodle-tool"])
    assert "threadworks.tool-calls.moodle.v1" in SCALED_BY


def test_the_broker_of_a_trial_is_set_as_the_one_that_tests_run_on() -> None:
    text = (FOLDER / "components/kafka/server.properties").read_text()
    trial = dict(line.split("=", 1) for line in text.splitlines())
    tested = server_properties(port=9092, controller_port=9093, log_directory="/var/lib/kafka/data/log")
    # Where it listens differs: in a cluster others have to reach it.
    trial_only = {"listeners", "advertised.listeners"}
    assert {key: value for key, value in trial.items() if key not in trial_only} == {
        key: value for key, value in tested.items() if key not in trial_only
    }
    assert trial["listeners"] == "PLAINTEXT://:9092,CONTROLLER://127.0.0.1:9093"
    assert trial["advertised.listeners"] == "PLAINTEXT://kafka:9092"
