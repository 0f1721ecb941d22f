"""Runs one service as a process: bus, ops port, signals, drain, exit code."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeAlias

import structlog
from event_bus import EventBus
from event_bus.kafka import KafkaBus
from event_bus.kafka_login import LoginRefused, require_login
from observability import Heartbeat, Meters, OpsServer, configure_logging
from observability.tracing import configure_tracing

from service_process.bus_metrics import show_bus
from service_process.handling import handling
from service_process.kafka_connection import PREFIX
from service_process.settings import ProcessSettings

log = structlog.get_logger(__name__)

Build: TypeAlias = Callable[[EventBus, Meters], "Service"]
"""Makes the service on a bus that is not started yet, and counts in the meters; called on the event loop."""

REST_SECONDS = 15.0
"""One deadline after a service's own drain for everything else: running handlers, the ops port, the bus."""


class Service(Protocol):
    """What is run: the object that a service's `bootstrap.build` makes."""

    @property
    def failed(self) -> asyncio.Future[BaseException]:
        """Resolves when the service has died for good."""
        ...

    async def start(self) -> None:
        """Start."""
        ...

    async def stop(self) -> None:
        """Drain and stop. Idempotent, also on a service that has not started wholly."""
        ...

    def checks(self) -> dict[str, Callable[[], str | None]]:
        """Return the readiness checks: None while all is well, else what is missing."""
        ...


def run_process(
    name: str,
    settings: ProcessSettings,
    build: Build,
    *,
    drain_seconds: float = 0.0,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code: 0, or 1 if the service failed by itself.

    `drain_seconds` is how long the service's own drain may take. `loop_factory` is for another event loop (uvloop).
    """
    configure_logging(name, settings.log_format, settings.log_level)
    tracing = configure_tracing(name)
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            kafka = settings.kafka_settings(name)
            serving = serve(
                name,
                settings,
                KafkaBus(kafka, around=handling),
                build,
                drain_seconds=drain_seconds,
                login=partial(require_login, kafka),
                started=_spare_the_collector,
            )
            return runner.run(serving)
    finally:
        tracing.stop()


async def _let_in() -> None:
    """The login of a bus that lets everybody in."""


def _spare_the_collector() -> None:
    """Take what the start has made out of the garbage collector's sight, for the life of the process.

    It is several hundred thousand objects that are never garbage, and a full collection, which one large request body
    brings about several times, holds the event loop while it looks at each of them.
    """
    gc.collect()
    gc.freeze()


async def serve(
    name: str,
    settings: ProcessSettings,
    bus: EventBus,
    build: Build,
    *,
    drain_seconds: float = 0.0,
    login: Callable[[], Awaitable[None]] = _let_in,
    started: Callable[[], None] = lambda: None,
) -> int:
    """Serve on a given bus until SIGTERM or SIGINT; see `run_process`.

    `login` returns when the bus has let the process in, and raises `LoginRefused` when it never will: then this returns
    1. `started` is called when everything is.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    meters = Meters()
    show_bus(bus, meters)
    heartbeat = Heartbeat(meters)
    try:
        service = build(bus, meters)
    except Exception as error:  # noqa: BLE001 - whatever keeps it from being built is said in one line
        return _failed(error)
    ops = OpsServer(
        settings.ops_port,
        {"publishing": bus.check, **service.checks()},
        settings.ops_host,
        alive={"event_loop": heartbeat.check, "event_bus": bus.check_alive, "service": lambda: _died(service)},
        meters=meters,
    )
    heartbeat.start()
    serving = asyncio.create_task(_start(name, bus, service, ops, started), name="serving")
    signalled = asyncio.create_task(stopping.wait(), name="signals")
    refused = asyncio.create_task(_refusal(login), name="login")
    tasks = (serving, signalled, refused)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return _refused(refused.result()) if refused.done() else _exit_code(serving)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await heartbeat.stop()
        await _drain(bus, service, ops, drain_seconds + REST_SECONDS)


async def _start(
    name: str, bus: EventBus, service: Service, ops: OpsServer, started: Callable[[], None]
) -> BaseException:
    """Start everything, then return what the service died of, if it does."""
    await ops.start()  # first, so that /readyz can tell what the others wait for
    log.info("the ops port is open", action="ops_started", ops_port=ops.port)
    await bus.start()
    await service.start()
    started()
    log.info("ready", action="started", service_name=name, ops_port=ops.port)
    return await service.failed


async def _refusal(login: Callable[[], Awaitable[None]]) -> LoginRefused:
    """Return why the process is not let in; do not return while it is, or while nobody answers."""
    try:
        await login()
    except LoginRefused as refusal:
        return refusal
    never: asyncio.Future[LoginRefused] = asyncio.get_running_loop().create_future()
    return await never


def _refused(refusal: LoginRefused) -> int:
    names = [f"{PREFIX}KAFKA_{refusal.wrong.upper()}"]
    if refusal.wrong == "sasl_password":
        names.insert(0, f"{PREFIX}KAFKA_SASL_USERNAME")
    log.error(
        "Kafka does not let this process in", action="login_refused", reason=str(refusal), check=" and ".join(names)
    )
    return 1


def _died(service: Service) -> str | None:
    if not service.failed.done():
        return None
    cause = service.failed.result()
    return str(cause) or type(cause).__name__


def _exit_code(serving: asyncio.Task[BaseException]) -> int:
    if not serving.done():
        log.info("stopping", action="stopping")
        return 0
    return _failed(serving.exception() or serving.result())


def _failed(cause: BaseException) -> int:
    log.error("the service has failed", action="failed", reason=str(cause) or type(cause).__name__)
    return 1


async def _drain(bus: EventBus, service: Service, ops: OpsServer, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            # One that fails must not keep the others from flushing and leaving in order.
            for name, stop in (("service", service.stop), ("bus", bus.stop), ("ops", ops.stop)):
                try:
                    await stop()
                except Exception as error:  # noqa: BLE001 - as above
                    log.error(
                        "a part did not stop in order", action="stop_failed", part=name, error=type(error).__name__
                    )
        log.info("stopped", action="stopped")
    except TimeoutError:
        log.warning("not everything stopped in time", action="drain_timeout", seconds=seconds)
