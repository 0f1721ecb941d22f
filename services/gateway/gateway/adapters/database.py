"""Opens the database when the gateway starts, however long PostgreSQL takes to be there. Called by `bootstrap`."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from run_engine.errors import DatabaseUnavailable
from run_engine.store.database import Database
from run_engine.store.migrate import require_suitable_schema

log = structlog.get_logger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
"""Seconds between two attempts; doubled after each. Two seconds are short for a person and long for a server."""


async def open_database(
    url: str, *, max_size: int, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> Database:
    """Return the database once it answers and its schema suits this code.

    Tries for ever while PostgreSQL is away. Raises `SchemaUnsuitable` (its text says what to do) and asyncpg's own
    errors for what waiting will not mend: a wrong password, a database that does not exist.
    """
    wait = _FIRST_PAUSE
    while True:
        try:
            database = await Database.connect(url, application_name="threadworks-gateway", max_size=max_size)
        except DatabaseUnavailable as error:
            log.warning("waiting for the database", action="database_waiting", reason=str(error), seconds=wait)
            await pause(wait)
            wait = min(wait * 2, _LONGEST_PAUSE)
            continue
        try:
            await require_suitable_schema(database)
        except DatabaseUnavailable:
            await database.close()
            continue
        except BaseException:
            await database.close()
            raise
        return database
