"""`python -m run_orchestrator`: the run-orchestrator as a process of its own, on Kafka."""

import asyncio
import signal
import sys
from typing import TypeVar

import structlog
import uvloop
from event_bus import EventBus
from event_bus.kafka import KafkaBus, KafkaSettings
from observability import OpsServer, configure_logging
from pydantic import ValidationError
from pydantic_settings import BaseSettings
from run_engine.errors import SchemaUnsuitable

from run_orchestrator.bootstrap import build
from run_orchestrator.entrypoints.service import Service
from run_orchestrator.settings import PREFIX, OrchestratorSettings, ProcessSettings

log = structlog.get_logger(__name__)

Settings = TypeVar("Settings", bound=BaseSettings)

NAME = "run-orchestrator"
CLOSING_SECONDS = 15.0
"""Deadline for the ops port and the bus, once the service has drained by its own limits."""


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 0, 1 when the service failed, 2 for wrong settings."""
    problems: list[str] = []
    process, settings = _read(ProcessSettings, problems), _read(OrchestratorSettings, problems)
    if process is None or settings is None:
        sys.stderr.write(f"{NAME} cannot start: {'; '.join(problems)}\n")
        return 2
    configure_logging(NAME, process.log_format, process.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(process, settings, KafkaBus(_kafka(process))))


async def _serve(process: ProcessSettings, settings: OrchestratorSettings, bus: EventBus) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    service = build(settings, bus)
    ops = OpsServer(process.ops_port, service.checks(), process.ops_host)
    serving = asyncio.create_task(_run(bus, service, ops), name="serving")
    signalled = asyncio.create_task(stopping.wait(), name="signals")
    await asyncio.wait({serving, signalled}, return_when=asyncio.FIRST_COMPLETED)
    code = _exit_code(serving)
    serving.cancel()
    signalled.cancel()
    await asyncio.gather(serving, signalled, return_exceptions=True)
    await service.stop()
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await ops.stop()
            await bus.stop()
    except TimeoutError:
        log.warning("not everything stopped in time", action="closing_timeout", seconds=CLOSING_SECONDS)
    log.info("stopped", action="stopped")
    return code


async def _run(bus: EventBus, service: Service, ops: OpsServer) -> BaseException:
    """Start everything, then return what the service died of, if it does."""
    await bus.start()
    await ops.start()  # before the service, so that /readyz can tell what it waits for
    log.info("the ops port is open", action="ops_started", ops_port=ops.port)
    await service.start()
    log.info("started", action="started", ops_port=ops.port)
    return await service.failed


def _exit_code(serving: asyncio.Task[BaseException]) -> int:
    if not serving.done():
        log.info("stopping", action="stopping")
        return 0
    cause = serving.exception() or serving.result()
    if isinstance(cause, SchemaUnsuitable):
        log.error(str(cause), action="schema_unsuitable")
    else:
        log.error("the service has failed", action="failed", exc_info=cause)
    return 1


def _kafka(process: ProcessSettings) -> KafkaSettings:
    password = process.kafka_sasl_password
    return KafkaSettings(
        bootstrap_servers=process.kafka_bootstrap,
        client_id=NAME,
        security_protocol=process.kafka_security_protocol,
        sasl_mechanism=process.kafka_sasl_mechanism,
        sasl_username=process.kafka_sasl_username,
        sasl_password=password.get_secret_value() if password else None,
        ca_file=process.kafka_ca_file,
    )


def _read(kind: type[Settings], problems: list[str]) -> Settings | None:
    """Settings from the environment; None adds what is missing or wrong to `problems`, never with a value."""
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            field = str(problem["loc"][0]) if problem["loc"] else "the settings"
            name = field.upper() if field.startswith("openai_") else PREFIX + field.upper()
            problems.append(f"{name} is not set" if problem["type"] == "missing" else f"{name}: {problem['msg']}")
        return None


if __name__ == "__main__":
    sys.exit(main())
