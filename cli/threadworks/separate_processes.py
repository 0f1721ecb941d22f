"""The composition of `threadworks up`: which parts there are, what each is told, in which order they start and stop."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import httpx
from event_bus.kafka_admin import ensure_topics
from event_bus.kafka_settings import KafkaSettings
from moodle_simulator.owners import DEMO_TOKEN
from service_process import KafkaConnection, load_settings

from threadworks.commands.topics import declared_topics
from threadworks.database_setup import prepare_database
from threadworks.kept_keys import sealing_keys
from threadworks.local_servers import LocalKafka, LocalPostgres
from threadworks.local_servers.ports import free_port
from threadworks.owlie_demo import owlie
from threadworks.settings import LocalSettings
from threadworks.simulated import demo_model, simulated_notes
from threadworks.supervisor.part import LocalServerPart, ServicePart
from threadworks.supervisor.supervisor import Supervisor
from threadworks.until_stopped import Ready, gateway_url

_POLL_SECONDS: Final = 0.05
# The time each service may take for its own drain (DESIGN: 2 s and 60 s of streams; 45 s of runs), and one deadline
# of 15 s for everything else.
_GATEWAY_STOP_SECONDS: Final = 80.0
_ORCHESTRATOR_STOP_SECONDS: Final = 100.0
_TOOL_STOP_SECONDS: Final = 30.0
_SIMULATOR_STOP_SECONDS: Final = 10.0
_SEALING_KEYS: Final = "THREADWORKS_TOOL_SEALING_KEYS"


ServiceName: TypeAlias = Literal["gateway", "orchestrator", "moodle-tool"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many processes of each service run."""

    gateways: int = 1
    orchestrators: int = 2
    moodle_tools: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    """How one process of a service is started."""

    module: str
    environment: dict[str, str]
    stop_seconds: float
    keep_open: tuple[int, ...] = ()


class SeparateProcesses:
    """Local servers where none were given, simulators where nothing real was given, and our services."""

    def __init__(self, settings: LocalSettings, counts: Counts) -> None:
        self._settings = settings
        self._counts = counts
        self._supervisor = Supervisor()
        self._logs = settings.data_dir.resolve() / "logs"
        self._listener: socket.socket | None = None
        self._services: dict[ServiceName, _Service] = {}
        self._ops_ports: dict[ServiceName, dict[str, int]] = {}

    async def start(self) -> Ready:
        """Starts all parts; returns when every service is ready."""
        settings, data_dir = self._settings, self._settings.data_dir.resolve()
        self._logs.mkdir(parents=True, exist_ok=True)
        self._listener = _listen(settings.host, settings.port)
        environment = self._common_environment()
        database_url, bootstrap = await self._start_servers(data_dir)
        await prepare_database(settings, database_url)
        await ensure_topics(
            self._kafka_settings(bootstrap),
            declared_topics(settings.tool_service_names),
            replication_factor=1,
        )
        environment |= {"THREADWORKS_DATABASE_URL": database_url, "THREADWORKS_KAFKA_BOOTSTRAP": bootstrap}
        environment |= await self._start_simulators()
        self._services = self._told(environment, self._listener.fileno())
        counts: dict[ServiceName, int] = {
            "moodle-tool": self._counts.moodle_tools,
            "orchestrator": self._counts.orchestrators,
            "gateway": self._counts.gateways,
        }
        self._ops_ports = {service: {} for service in counts}
        await self._supervisor.start(*(part for service, count in counts.items() for part in self._new(service, count)))
        return Ready(
            url=gateway_url(settings.host, self._listener.getsockname()[1]),
            with_demo_key=settings.on_loopback,
            notes=(f"Kafka is at {bootstrap}; logs are in {self._logs}", *simulated_notes(settings)),
        )

    async def scale(self, service: ServiceName, count: int) -> None:
        """Starts processes of a service, or stops the newest ones in order; returns when all are ready or gone."""
        names = list(self._ops_ports[service])
        await self._supervisor.start(*self._new(service, count - len(names)))
        for name in names[count:]:
            del self._ops_ports[service][name]
        await asyncio.gather(*(self._supervisor.remove(name) for name in names[count:]))

    def ops_ports(self, service: ServiceName) -> list[int]:
        """The ops ports of the service's processes."""
        return list(self._ops_ports[service].values())

    async def failed(self) -> str:
        """Never: whatever dies is started again."""
        never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return await never

    async def stop(self) -> None:
        """Gateways first, so that nothing new comes in; servers last, because the others hand back what they hold."""
        if self._listener is not None:
            self._listener.close()
        await self._supervisor.stop(["gateway"], ["orchestrator"], ["moodle-tool"], ["simulator"], ["kafka"])
        self._settings.database_url_file.unlink(missing_ok=True)

    async def _start_servers(self, data_dir: Path) -> tuple[str, str]:
        """Starts PostgreSQL and Kafka where none were given; gives the addresses of both."""
        settings = self._settings
        postgres = LocalPostgres(data_dir / "postgres")
        kafka = LocalKafka(data_dir / "kafka")
        parts = []
        if settings.database_url is None:
            parts.append(LocalServerPart("postgres", postgres))
        if not settings.kafka_bootstrap:
            parts.append(LocalServerPart("kafka", kafka))
        await self._supervisor.start(*parts)
        database_url = settings.database_url.get_secret_value() if settings.database_url else postgres.url()
        return database_url, settings.kafka_bootstrap or kafka.bootstrap_servers

    def _kafka_settings(self, bootstrap: str) -> KafkaSettings:
        """How a broker of one's own, which the services reach with the same settings, or ours is reached."""
        if not self._settings.kafka_bootstrap:
            return KafkaSettings(bootstrap_servers=bootstrap, client_id="threadworks-up")
        (connection,) = load_settings("threadworks up", KafkaConnection)
        return connection.kafka_settings("threadworks-up")

    async def _start_simulators(self) -> dict[str, str]:
        """Starts the simulators that are needed; gives the settings that point the services at them."""
        pointed: dict[str, str] = {}
        parts = []
        if self._settings.simulates_model:
            port = free_port()
            parts.append(self._simulator("simulator-model", "model_simulator", port))
            pointed |= {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "sk-simulated"}
        if self._settings.simulates_moodle:
            port = free_port()
            parts.append(self._simulator("simulator-moodle", "moodle_simulator", port))
            pointed |= {
                "THREADWORKS_MOODLE_BASE_URL": f"http://127.0.0.1:{port}",
                "THREADWORKS_MOODLE_TOKEN": DEMO_TOKEN,
            }
        await self._supervisor.start(*parts)
        return pointed

    def _simulator(self, name: str, module: str, port: int) -> ServicePart:
        return ServicePart(
            name,
            module,
            arguments=["--port", str(port)],
            environment={},
            log_file=self._logs / f"{name}.log",
            ready=lambda: _accepts(port),
            stop_seconds=_SIMULATOR_STOP_SECONDS,
        )

    def _told(self, environment: dict[str, str], listen_fd: int) -> dict[ServiceName, _Service]:
        dialect = owlie(self._settings)
        gateway = environment | {"THREADWORKS_LISTEN_FD": str(listen_fd)}
        gateway |= {} if dialect is None else dialect.environment()
        return {
            "moodle-tool": _Service(
                module="moodle_tool",
                # The private keys are this service's alone.
                environment=environment | {_SEALING_KEYS: sealing_keys(self._settings).get_secret_value()},
                stop_seconds=_TOOL_STOP_SECONDS,
            ),
            "orchestrator": _Service(
                module="run_orchestrator", environment=environment, stop_seconds=_ORCHESTRATOR_STOP_SECONDS
            ),
            "gateway": _Service(
                module="gateway", environment=gateway, stop_seconds=_GATEWAY_STOP_SECONDS, keep_open=(listen_fd,)
            ),
        }

    def _new(self, service: ServiceName, count: int) -> list[ServicePart]:
        """As many further processes of a service, each with an ops port and a log of its own."""
        told, ports, parts = self._services[service], self._ops_ports[service], []
        for number in range(len(ports) + 1, len(ports) + 1 + count):
            name = f"{service}-{number}"
            ports[name] = free_port()
            parts.append(
                ServicePart(
                    name,
                    told.module,
                    environment=told.environment | {"THREADWORKS_OPS_PORT": str(ports[name])},
                    log_file=self._logs / f"{name}.log",
                    ready=_ready_at(ports[name]),
                    stop_seconds=told.stop_seconds,
                    keep_open=told.keep_open,
                )
            )
        return parts

    def _common_environment(self) -> dict[str, str]:
        settings = self._settings
        # Servers of one's own often want no key, but the orchestrator wants to be told so.
        without_key = {"OPENAI_API_KEY": "none"} if settings.openai_api_key is None else {}
        files = {"THREADWORKS_FILES_URL": settings.files_url} if settings.files_url else {}
        return {
            **without_key,
            **files,
            # Whatever is set here is for the tool service alone, and inherited by nobody else.
            _SEALING_KEYS: "",
            "THREADWORKS_DATA_DIR": str(settings.data_dir.resolve()),
            "THREADWORKS_TOOL_SERVICES": settings.tool_services,
            "THREADWORKS_DEMO_MODEL": demo_model(settings),
            "THREADWORKS_LOG_FORMAT": settings.log_format,
            "THREADWORKS_LOG_LEVEL": settings.log_level,
        }


def _listen(host: str, port: int) -> socket.socket:
    """One listening socket for all gateways: the kernel deals out connections, and none is refused in a restart."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # The protocol is named because asyncio sets TCP_NODELAY on accepted connections only then.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise OSError(f"{host}:{port} cannot be listened on ({error.strerror}): set THREADWORKS_PORT") from error
    listener.listen(2048)
    return listener


def _ready_at(ops_port: int) -> Callable[[], Awaitable[None]]:
    async def ready() -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ops_port}", timeout=2) as client:
            while True:
                try:
                    if (await client.get("/readyz")).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(_POLL_SECONDS)

    return ready


async def _accepts(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_POLL_SECONDS)
        else:
            writer.close()
            await writer.wait_closed()
            return
