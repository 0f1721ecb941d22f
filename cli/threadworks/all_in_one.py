"""The composition of `threadworks run`: all services in one process, on a real PostgreSQL and the in-process bus."""

import asyncio
import time
from contextlib import AsyncExitStack

import gateway.bootstrap
import gateway.settings
import moodle_tool.bootstrap
import moodle_tool.settings
import run_orchestrator.bootstrap
import run_orchestrator.settings
from event_bus.in_process import InProcessBus
from gateway.application.course_catalogue import read_catalogue
from model_simulator import ModelSimulator, SimulatorSettings
from moodle_simulator.owners import DEMO_TOKEN
from moodle_simulator.server import MoodleSimulator
from pydantic import HttpUrl, SecretStr, ValidationError
from service_process import Service
from service_process.handling import handling

from threadworks.database_setup import prepare_database
from threadworks.kept_keys import sealing_keys
from threadworks.local_servers import LocalPostgres
from threadworks.observed import Observed
from threadworks.owlie_demo import owlie
from threadworks.settings import LocalSettings
from threadworks.simulated import demo_model, simulated_notes
from threadworks.until_stopped import Ready, gateway_url

# The demo model writes like a model and not like a file, so that a newcomer sees a run in progress.
_TOKENS_PER_SECOND = 400.0
_FIRST_TOKEN_SECONDS = 0.1


class AllInOne:
    """Everything in this process but PostgreSQL, which is a child."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._started = AsyncExitStack()
        self._services: list[Service] = []
        self._observed = Observed()
        self._complete = asyncio.Event()

    async def start(self) -> Ready:
        """Starts all of it; what is started is stopped in the reverse order."""
        settings = self._settings
        database_url = await self._database()
        await prepare_database(settings, database_url)
        model_url, model_key = await self._model()
        moodle_url, moodle_token = await self._moodle()
        self._observed.start()
        self._started.push_async_callback(self._observed.stop)
        # By milliseconds, so that the places of an earlier process are known to be gone: nothing outlives a process.
        meters, bus = self._observed.meters, InProcessBus(around=handling, first_offset=time.time_ns() // 1_000_000)
        await bus.start()
        self._started.push_async_callback(bus.stop)
        await self._serve(
            moodle_tool.bootstrap.build(
                moodle_tool.settings.MoodleToolSettings(moodle_base_url=HttpUrl(moodle_url), moodle_token=moodle_token),
                bus,
                meters,
                sealing_keys=sealing_keys(settings),
            )
        )
        await self._serve(
            run_orchestrator.bootstrap.build(
                run_orchestrator.settings.OrchestratorSettings(
                    database_url=SecretStr(database_url),
                    openai_base_url=HttpUrl(model_url),
                    openai_api_key=model_key,
                    demo_model=demo_model(settings),
                    tool_services=frozenset(settings.tool_service_names),
                    data_dir=settings.data_dir,
                    files_url=settings.files_url,
                ),
                bus,
                meters,
            )
        )
        http = gateway.bootstrap.build(self._gateway_settings(database_url, model_url, model_key), bus, meters)
        await self._serve(http)
        names = ("moodle-tool", "run-orchestrator", "gateway")
        await self._observed.show(settings.ops_port, bus, dict(zip(names, self._services, strict=True)))
        self._complete.set()
        return Ready(
            url=gateway_url(settings.host, http.port),
            with_demo_key=settings.on_loopback,
            notes=simulated_notes(settings),
        )

    def _gateway_settings(
        self, database_url: str, model_url: str, model_key: SecretStr
    ) -> gateway.settings.GatewaySettings:
        settings, dialect = self._settings, owlie(self._settings)
        courses = None if dialect is None or dialect.catalogue is None else read_catalogue(dialect.catalogue)
        try:
            return gateway.settings.GatewaySettings(
                database_url=SecretStr(database_url),
                host=settings.host,
                port=settings.port,
                openai_base_url=HttpUrl(model_url),
                openai_api_key=model_key,
                data_dir=settings.data_dir,
                files_url=settings.files_url,
                tool_services=settings.tool_services,
                tool_service_keys=settings.tool_service_keys,
                owlie_keys=None if dialect is None else SecretStr(dialect.keys),
                owlie_tenant=None if dialect is None else dialect.tenant,
                owlie_catalogue=courses,
            )
        except ValidationError as error:
            # Its own text repeats what was set, which may be a secret.
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            raise ValueError("; ".join(_sentence(each["loc"], each["msg"]) for each in problems)) from None

    async def failed(self) -> str:
        """The reason of the first service that died for good."""
        await self._complete.wait()
        done, _ = await asyncio.wait(
            [service.failed for service in self._services], return_when=asyncio.FIRST_COMPLETED
        )
        cause = done.pop().result()
        return str(cause) or type(cause).__name__

    async def stop(self) -> None:
        """Gateway, orchestrator, moodle-tool, bus, simulators, PostgreSQL."""
        await self._started.aclose()
        self._settings.database_url_file.unlink(missing_ok=True)

    async def _serve(self, service: Service) -> None:
        self._started.push_async_callback(service.stop)
        await service.start()
        self._services.append(service)

    async def _database(self) -> str:
        if self._settings.database_url is not None:
            return self._settings.database_url.get_secret_value()
        postgres = LocalPostgres(self._settings.data_dir / "postgres")
        self._started.push_async_callback(postgres.stop)
        await postgres.start()
        return postgres.url()

    async def _model(self) -> tuple[str, SecretStr]:
        if not self._settings.simulates_model:
            key = self._settings.openai_api_key or SecretStr("none")
            return self._settings.openai_base_url or "https://api.openai.com/v1", key
        simulator = ModelSimulator(
            SimulatorSettings(tokens_per_second=_TOKENS_PER_SECOND, first_token_seconds=_FIRST_TOKEN_SECONDS)
        )
        await simulator.start()
        self._started.push_async_callback(simulator.stop)
        return simulator.base_url, SecretStr("sk-simulated")

    async def _moodle(self) -> tuple[str, SecretStr]:
        if self._settings.moodle_base_url:
            return self._settings.moodle_base_url, self._settings.moodle_token or SecretStr("none")
        simulator = MoodleSimulator()
        await simulator.start()
        self._started.push_async_callback(simulator.stop)
        return simulator.base_url, SecretStr(DEMO_TOKEN)


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"THREADWORKS_{str(place[0]).upper()}: {message}" if place else message
