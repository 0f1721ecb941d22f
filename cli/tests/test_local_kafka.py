"""The local Kafka: comes back on its data and its port after a crash, and leaves nothing behind."""

import signal
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from event_bus.kafka_admin import ensure_topics
from event_bus.kafka_settings import KafkaSettings
from message_contracts.catalogue import Topic
from threadworks.local_servers import DataDirectoryInUseError, LocalKafka
from threadworks.local_servers.kafka import new_cluster_id
from threadworks.local_servers.kafka_container import ContainerKafka, docker_runs
from threadworks.local_servers.kafka_for_tests import Broker, GivenKafka, choose_kafka, missing_is_failure
from threadworks.local_servers.kafka_properties import container_environment, server_properties

STARTS_AND_IS_KILLED = """
import asyncio, os, pathlib, signal, sys
from threadworks.local_servers import LocalKafka
async def main():
    server = LocalKafka(pathlib.Path(sys.argv[1]))
    await server.start()
    print(server.process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def topic(**changes: object) -> Topic:
    values = {
        "name": f"test.{uuid.uuid4().hex}",
        "key": "none",
        "partitions": 3,
        "retention": timedelta(hours=1),
        "compacted": False,
        "producers": (),
        "consumers": (),
        "message_types": (),
    }
    return Topic(**{**values, **changes})  # type: ignore[arg-type]  # the values above have the right types


async def test_comes_back_on_its_data_and_port_after_a_crash_and_only_one_runs(own_kafka: LocalKafka) -> None:
    settings = KafkaSettings(bootstrap_servers=own_kafka.bootstrap_servers, client_id="test")
    one = topic()
    assert (await ensure_topics(settings, [one], replication_factor=1)).created == (one.name,)
    await own_kafka.kill()
    await own_kafka.start()
    assert own_kafka.bootstrap_servers == settings.bootstrap_servers
    report = await ensure_topics(settings, [one], replication_factor=1)
    assert (report.created, report.differences) == ((), ())
    with pytest.raises(DataDirectoryInUseError):
        await LocalKafka(own_kafka.log_file.parent).start()


def test_a_killed_parent_leaves_no_broker_behind(server_directory: Path, kafka: Broker) -> None:
    assert kafka.bootstrap_servers  # asked for so that a machine without Kafka skips this test
    parent = subprocess.run(
        [sys.executable, "-c", STARTS_AND_IS_KILLED, str(server_directory / "orphan-kafka")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    pid = int(parent.stdout.splitlines()[-1])
    try:
        psutil.Process(pid).wait(10)
    except psutil.NoSuchProcess:
        return


def test_kafka_is_chosen_by_setting_then_docker_then_jars(tmp_path: Path) -> None:
    given = choose_kafka({"THREADWORKS_KAFKA_BOOTSTRAP": "kafka.example:9092"}, tmp_path, docker=lambda: True)
    assert isinstance(given, GivenKafka)
    assert given.bootstrap_servers == "kafka.example:9092"
    assert isinstance(choose_kafka({}, tmp_path, docker=lambda: True), ContainerKafka)
    assert isinstance(choose_kafka({}, tmp_path, docker=lambda: False), LocalKafka)


def test_a_missing_kafka_fails_in_ci_only() -> None:
    assert missing_is_failure({"CI": "true"})
    assert not missing_is_failure({})


def test_docker_is_seen_by_its_address_or_its_socket(tmp_path: Path) -> None:
    assert docker_runs({"DOCKER_HOST": "tcp://127.0.0.1:2375"}, str(tmp_path / "none"))
    assert not docker_runs({}, str(tmp_path / "none"))


def test_the_container_is_configured_like_the_local_broker_but_for_its_addresses() -> None:
    local = server_properties(port=9000, controller_port=9001, log_directory="/data")
    container = container_environment(port=9000, host="docker.example")
    assert container["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://docker.example:9000"
    assert container["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    same = {"KAFKA_" + name.upper().replace(".", "_") for name in local}
    assert same - set(container) == {"KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS"}


def test_a_cluster_id_never_looks_like_an_option() -> None:
    ids = [new_cluster_id() for _ in range(2000)]
    assert {len(one) for one in ids} == {22}
    assert not [one for one in ids if "-" in one]
    assert len(set(ids)) == 2000
