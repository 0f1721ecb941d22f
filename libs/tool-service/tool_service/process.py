"""A tool service as a process of its own, on Kafka: what the `__main__` of a third party calls.

Imported by nothing else here: a program that brings its own bus does not load Kafka's client.
"""

from contextlib import AbstractAsyncContextManager
from typing import Annotated, NoReturn

from pydantic import AfterValidator, Field, SecretStr
from service_process import ProcessSettings, load_settings, run_process

from tool_service.runner import ToolServiceRunner
from tool_service.sealing import SealingKeys, checked_keys
from tool_service.service import ToolService


class ToolProcessSettings(ProcessSettings):
    """Settings of every tool service process, from the environment with the prefix THREADWORKS_."""

    tool_concurrency: int = Field(default=16, ge=1, le=1000)
    """Calls of one partition that are worked on at once. A call mostly waits for another server, so 16 are cheap."""
    tool_sealing_keys: Annotated[SecretStr | None, AfterValidator(checked_keys)] = None
    """Private keys that users' own credentials are sealed for, separated by commas: the first is announced, all open,
    so a key is rotated by putting a new one before it. `threadworks keys sealing` makes one. Without any the service
    takes no credentials, and works with its own access for everybody."""


def run(service: ToolService, *, lifespan: AbstractAsyncContextManager[object] | None = None) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then exit with code 0; 1 if the service failed by itself.

    Settings come from the environment; a missing one ends the process with one line and exit code 2. `lifespan` is
    entered before the first call and left after the last one: connections, clients.
    """
    (settings,) = load_settings(service.name, ToolProcessSettings)
    exit_code = run_process(
        service.name,
        settings,
        lambda bus, meters: ToolServiceRunner(
            service.name,
            service.functions,
            bus,
            concurrency=settings.tool_concurrency,
            lifespan=lifespan,
            meters=meters,
            keys=SealingKeys.read(settings.tool_sealing_keys),
        ),
    )
    raise SystemExit(exit_code)
