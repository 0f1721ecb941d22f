"""The outer frame of `run` and `up`: logging, signals, the ready line, an orderly end."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import typer
from observability import configure_logging

from threadworks import demo
from threadworks.settings import LocalSettings


@dataclass(frozen=True, slots=True)
class Ready:
    """What the ready line says."""

    url: str
    with_demo_key: bool
    notes: tuple[str, ...] = ()
    """One line each, printed before the ready line."""


def gateway_url(host: str, port: int) -> str:
    """The base URL that an SDK is given."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


class Installation(Protocol):
    """A whole Threadworks on this machine."""

    async def start(self) -> Ready:
        """Returns when it answers."""
        ...

    async def failed(self) -> str:
        """Returns, with the reason, when it cannot go on."""
        ...

    async def stop(self) -> None:
        """Stops all of it in order; also a half-started one."""
        ...


async def run_until_stopped(name: str, settings: LocalSettings, build: Callable[[LocalSettings], Installation]) -> None:
    """Starts an installation, prints the ready line, waits for SIGINT or SIGTERM, stops. Exits 1 if it failed."""
    configure_logging(f"threadworks-{name}", settings.log_format, settings.log_level)
    stop_asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop_asked.set)
    installation = build(settings)
    reason = None
    try:
        reason = await _start_and_wait(installation, stop_asked)
    finally:
        await installation.stop()
    if reason is not None:
        typer.echo(f"threadworks {name} failed: {reason}", err=True)
        raise typer.Exit(1)


async def _start_and_wait(installation: Installation, stop_asked: asyncio.Event) -> str | None:
    stopping = asyncio.ensure_future(stop_asked.wait())
    starting = asyncio.ensure_future(installation.start())
    failing = asyncio.ensure_future(installation.failed())
    try:
        await asyncio.wait({stopping, starting}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return None
        try:
            ready = starting.result()
        except Exception as error:  # noqa: BLE001 - whatever kept it from starting is said in one line
            return str(error) or type(error).__name__
        for note in ready.notes:
            typer.echo(note)
        key = demo.KEY if ready.with_demo_key else "made by `threadworks keys create`"
        typer.echo(f"ready url={ready.url} key={key} assistant={demo.ASSISTANT}")
        await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        return None if stopping.done() else failing.result()
    finally:
        for task in (stopping, starting, failing):
            task.cancel()
        await asyncio.gather(stopping, starting, failing, return_exceptions=True)
