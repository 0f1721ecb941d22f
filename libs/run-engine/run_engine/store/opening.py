"""Opens the database when a process starts, however long PostgreSQL takes to be there.

Called by the composition roots of the services, and by `EngineProcess` for the connection of its lease.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from run_engine.errors import DatabaseUnavailable
from run_engine.store.database import Database
from run_engine.store.migrate import require_suitable_schema

log = structlog.get_logger(__name__)

Opened = TypeVar("Opened")

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
"""Seconds between two attempts; doubled after each. Two seconds are short for a person and long for a server."""


async def open_database(
    url: str,
    *,
    application_name: str,
    connections: int,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Database:
    """Return a pool of at most `connections` to the database, once it answers and its schema suits this code.

    Tries for ever while PostgreSQL is away. Raises `SchemaUnsuitable` (its text says what to do), `DatabaseUrlUnusable`
    and `DatabaseRefused` (a wrong password, a database that does not exist): waiting will not mend them.
    """
    return await once_it_answers(lambda: _opened(url, application_name, connections), pause=pause)


async def once_it_answers(
    open_: Callable[[], Awaitable[Opened]], *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> Opened:
    """Return what `open_` opens, tried with growing pauses for as long as PostgreSQL is away."""
    wait = FIRST_PAUSE
    while True:
        try:
            return await open_()
        except DatabaseUnavailable as error:
            log.warning("waiting for the database", action="database_waiting", reason=str(error), seconds=wait)
        await pause(wait)
        wait = min(wait * 2, LONGEST_PAUSE)


async def _opened(url: str, application_name: str, connections: int) -> Database:
    database = await Database.connect(
        url, application_name=application_name, min_size=min(2, connections), max_size=connections
    )
    try:
        await require_suitable_schema(database)
    except BaseException:
        await database.close()
        raise
    return database
