"""The same Apache Kafka in a container, where Docker runs: nothing is downloaded from Maven Central.

Used by test fixtures only, through `kafka_for_tests`; testcontainers is a development dependency.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Any

from event_bus.kafka_admin import wait_until_ready

from threadworks.local_servers.kafka_jars import KAFKA_VERSION
from threadworks.local_servers.kafka_properties import container_environment
from threadworks.local_servers.ports import free_port

_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
_DEFAULT_SOCKET = "/var/run/docker.sock"
_START_SECONDS = 90.0


def docker_runs(environment: Mapping[str, str] = os.environ, socket_path: str = _DEFAULT_SOCKET) -> bool:
    """Whether containers can be started: an address is set, or the daemon's socket takes connections."""
    if environment.get("DOCKER_HOST"):
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(socket_path) == 0


class ContainerKafka:
    """One broker in a container, on a free port of this machine; gone with its data after `stop`."""

    def __init__(self) -> None:
        self._container: Any = None
        self._address: str | None = None

    @property
    def bootstrap_servers(self) -> str:
        """host:port for clients."""
        if self._address is None:
            raise RuntimeError("Kafka has not been started")
        return self._address

    async def start(self) -> None:
        """Pull the image where it is missing, start, return when the broker answers. Raises what Docker raises."""
        await asyncio.to_thread(self._start)
        await wait_until_ready(self.bootstrap_servers, timeout=_START_SECONDS)

    async def stop(self) -> None:
        """Remove the container. Idempotent."""
        if self._container is not None:
            await asyncio.to_thread(self._container.stop)
            self._container = None

    def _start(self) -> None:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - a development dependency

        port = free_port()
        container = DockerContainer(_IMAGE).with_bind_ports(port, port)
        host = container.get_container_host_ip()
        for name, value in container_environment(port=port, host=host).items():
            container = container.with_env(name, value)
        self._container = container.start()
        self._address = f"{host}:{port}"
