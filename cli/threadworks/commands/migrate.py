"""`threadworks migrate`: brings the database to this version's schema, or waits until somebody has done so."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import typer
from run_engine.errors import DatabaseUnavailable, SchemaUnsuitable
from run_engine.store.migrate import migrate as apply

from threadworks.commands.database import connected, database_url
from threadworks.settings import LocalSettings, local_settings

_PAUSE_SECONDS: Final = 2.0
"""Between two looks at a database that is not ready: short for a rollout, long for a server."""


def migrate(
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Change nothing; return once the schema suits this version, as somebody else migrates. For containers "
            "that start before a service.",
        ),
    ] = False,
) -> None:
    """Bring the database to this version's schema. Safe to repeat, and safe to run from several places at once."""
    settings = local_settings()
    if wait:
        asyncio.run(wait_for_schema(settings, say=typer.echo))
    else:
        _apply(settings)


def _apply(settings: LocalSettings) -> None:
    applied = asyncio.run(apply(database_url(settings)))
    for step in applied:
        typer.echo(f"applied {step.number:04d} {step.name}")
    if not applied:
        typer.echo("the schema is up to date")


async def wait_for_schema(
    settings: LocalSettings,
    *,
    say: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Return once the schema suits this code, however long that takes; each new reason to wait is said once.

    Raises SchemaUnsuitable for a schema that excludes this code: no migration will mend that.
    """
    said = ""
    while reason := await _missing(settings):
        if reason != said:
            say(f"waiting: {reason}")
            said = reason
        await pause(_PAUSE_SECONDS)
    say("the schema suits this version")


async def _missing(settings: LocalSettings) -> str | None:
    try:
        async with connected(settings):
            return None
    except DatabaseUnavailable as error:
        return str(error) or "the database is away"
    except SchemaUnsuitable as error:
        if error.facts["schema"] > error.facts["code"]:
            raise
        return str(error)
