"""A real Apache Kafka for a laptop, for tests and for CI: one KRaft node, no Docker, no installed Java.

Used by `threadworks up` and the test fixtures, which also kill it and start it again on its data.
"""

import asyncio
import base64
import contextlib
import signal
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog
from event_bus.kafka_admin import wait_until_ready

from threadworks.local_servers.data_directory import DataDirectory
from threadworks.local_servers.kafka_jars import java, kafka_class_path
from threadworks.local_servers.kafka_properties import LOGGING, Listener, properties_text, server_properties
from threadworks.local_servers.ports import free_port, is_free
from threadworks.local_servers.server_process import ServerProcess

log = structlog.get_logger(__name__)

_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_HEAP = "-Xmx512m"


class KafkaStartError(Exception):
    """Kafka did not start: the message says why, the log file says more."""


class LocalKafka:
    """One broker on one data directory: `log/` holds the data, `server.log` what the broker says.

    Its two ports are chosen at the first start and kept in the data directory as long as they are free, so that
    clients find a restarted broker where it was. `settings` are broker properties on top of ours, `listeners` further
    addresses, and `scram_users` those who may log in there with SCRAM-SHA-512, with their passwords: known from the
    first start on.
    """

    def __init__(
        self,
        data_directory: Path,
        *,
        settings: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
        scram_users: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = DataDirectory(data_directory.resolve())
        self._settings = dict(settings or {})
        self._listeners = tuple(listeners)
        self._scram_users = dict(scram_users or {})
        self._class_path: str | None = None
        self._port: int | None = None
        self._process: ServerProcess | None = None

    @property
    def log_file(self) -> Path:
        """What the broker wrote: warnings and errors."""
        return self._directory.path / "server.log"

    @property
    def process(self) -> ServerProcess | None:
        """The running broker, for a supervisor that watches it; None before start and after stop."""
        return self._process

    @property
    def bootstrap_servers(self) -> str:
        """host:port for clients."""
        if self._port is None:
            raise RuntimeError("Kafka has not been started")
        return f"127.0.0.1:{self._port}"

    def address_of(self, listener: str) -> str:
        """host:port of one of the further listeners, by its name."""
        return next(f"127.0.0.1:{one.port}" for one in self._listeners if one.name == listener)

    async def start(self) -> None:
        """Fetch the jars and format the storage where that is missing, start, return when the broker answers.

        Raises DataDirectoryInUseError when another broker runs on the directory and KafkaStartError when this one does
        not come up in 90 s. The first download of the jars (about 20 s) comes on top.
        """
        if self._process is not None and self._process.exit_code is None:
            return
        self._directory.lock()
        try:
            if self._class_path is None:
                self._class_path = await asyncio.to_thread(kafka_class_path)
            self._configure()
            await self._ensure_formatted()
            self._process = self._run("kafka.Kafka", str(self._properties))
            await self._answers(self._process)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Shut down in order, kill after 20 s, and return when nothing is left. Idempotent."""
        if self._process is not None:
            await self._process.stop(signal.SIGTERM, grace=_STOP_SECONDS)
            self._process = None
        self._directory.unlock()

    async def kill(self) -> None:
        """SIGKILL, as a crash would. `start` brings it back on its data and its port."""
        if self._process is not None:
            await self._process.kill()
            self._process = None

    @property
    def _properties(self) -> Path:
        return self._directory.path / "server.properties"

    def _configure(self) -> None:
        port, controller_port = self._ports()
        self._port = port
        (self._directory.path / "tmp").mkdir(exist_ok=True)
        (self._directory.path / "log4j2.properties").write_text(LOGGING)
        properties = server_properties(
            port=port,
            controller_port=controller_port,
            log_directory=str(self._directory.path / "log"),
            listeners=self._listeners,
            settings=self._settings,
        )
        self._properties.write_text(properties_text(properties))

    def _ports(self) -> tuple[int, int]:
        kept = self._directory.path / "ports"
        with contextlib.suppress(OSError, ValueError):
            port, controller_port = (int(number) for number in kept.read_text().split())
            if is_free(port) and is_free(controller_port):
                return port, controller_port
        port = free_port()
        while (controller_port := free_port()) == port:
            pass
        kept.write_text(f"{port} {controller_port}\n")
        return port, controller_port

    async def _ensure_formatted(self) -> None:
        if (self._directory.path / "log" / "meta.properties").exists():
            return
        arguments: tuple[str, ...] = ("format", "-t", new_cluster_id(), "-c", str(self._properties), "--standalone")
        for name, password in self._scram_users.items():
            arguments += ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
        tool = self._run("kafka.tools.StorageTool", *arguments)
        try:
            exit_code = await tool.exited()
        finally:
            await tool.kill()
        if exit_code != 0:
            raise KafkaStartError(f"formatting the storage ended with {exit_code}: see {self.log_file}")

    def _run(self, main_class: str, *arguments: str) -> ServerProcess:
        directory = self._directory.path
        return ServerProcess(
            [
                str(java()),
                *(_HEAP, "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "--sun-misc-unsafe-memory-access=allow"),
                f"-Djava.io.tmpdir={directory / 'tmp'}",
                f"-XX:ErrorFile={directory / 'java-error.log'}",
                f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}",
                *("-cp", self._class_path or "", main_class, *arguments),
            ],
            log_file=self.log_file,
            working_directory=directory,
            death_signal=signal.SIGKILL,
            keep_open=(self._directory.descriptor,),
        )

    async def _answers(self, process: ServerProcess) -> None:
        ready = asyncio.ensure_future(wait_until_ready(self.bootstrap_servers, timeout=_START_SECONDS))
        ended = asyncio.ensure_future(process.exited())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                raise KafkaStartError(f"Kafka ended with {ended.result()}: see {self.log_file}")
            ready.result()
        except TimeoutError as error:
            raise KafkaStartError(f"Kafka did not answer within {_START_SECONDS:g} s: see {self.log_file}") from error
        finally:
            for task in (ready, ended):
                task.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)
        log.info("Kafka answers", action="kafka_started", log_file=str(self.log_file))


def new_cluster_id() -> str:
    """22 characters of URL-safe base64, as Kafka wants it; never with a dash, which its tool takes for an option."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
