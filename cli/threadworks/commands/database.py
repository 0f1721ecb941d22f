"""Which database the operator's commands work on, and how they reach it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer
from run_engine.store.database import Database
from run_engine.store.migrate import require_suitable_schema

from threadworks.settings import LocalSettings


def database_url(settings: LocalSettings) -> str:
    """THREADWORKS_DATABASE_URL, or the database that a `run` or `up` with the same data folder has started."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    try:
        return settings.database_url_file.read_text().strip()
    except FileNotFoundError:
        raise typer.BadParameter(
            "there is no database: set THREADWORKS_DATABASE_URL (postgresql://user:password@host/database), "
            "or start `threadworks run` or `threadworks up` with the same THREADWORKS_DATA_DIR first"
        ) from None


@asynccontextmanager
async def connected(settings: LocalSettings) -> AsyncIterator[Database]:
    """A small pool for one command, once the schema suits it. Raises `EngineError`, which `main` says in one line."""
    database = await Database.connect(database_url(settings), application_name="threadworks", min_size=1, max_size=2)
    try:
        await require_suitable_schema(database)
        yield database
    finally:
        await database.close()
