"""Which Kafka the tests of this machine use, and what a missing one means.

Used by the root conftest.py. In this order: the broker that THREADWORKS_KAFKA_BOOTSTRAP names, a container where Docker
runs, the jars. Every test uses names of its own for topics and groups, so that a given broker may be shared.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from event_bus.kafka_admin import wait_until_ready

from threadworks.local_servers.kafka import LocalKafka
from threadworks.local_servers.kafka_container import ContainerKafka, docker_runs

BOOTSTRAP = "THREADWORKS_KAFKA_BOOTSTRAP"
_GIVEN_SECONDS = 10.0


class Broker(Protocol):
    """What a fixture starts and stops, and what a test asks for its address."""

    @property
    def bootstrap_servers(self) -> str:
        """host:port for clients."""
        ...

    async def start(self) -> None:
        """Return when it answers."""
        ...

    async def stop(self) -> None:
        """Leave nothing behind."""
        ...


class GivenKafka:
    """A broker that somebody else runs."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers

    @property
    def bootstrap_servers(self) -> str:
        """host:port for clients."""
        return self._bootstrap_servers

    async def start(self) -> None:
        """Check that it answers; raises TimeoutError."""
        await wait_until_ready(self._bootstrap_servers, timeout=_GIVEN_SECONDS)

    async def stop(self) -> None:
        """It is not ours to stop."""


def choose_kafka(
    environment: Mapping[str, str], data_directory: Path, *, docker: Callable[[], bool] = docker_runs
) -> Broker:
    """The broker for this test session, not started yet."""
    if given := environment.get(BOOTSTRAP):
        return GivenKafka(given)
    if docker():
        return ContainerKafka()
    return LocalKafka(data_directory)


def missing_is_failure(environment: Mapping[str, str]) -> bool:
    """In CI a Kafka that does not start fails the tests; elsewhere it skips them, visibly."""
    return bool(environment.get("CI"))
