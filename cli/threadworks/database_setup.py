"""Makes a database ready for the services: schema, demo data, and its address written down for other commands."""

import os

from run_engine.store.database import Database
from run_engine.store.migrate import migrate

from threadworks import demo
from threadworks.settings import LocalSettings


async def prepare_database(settings: LocalSettings, database_url: str) -> None:
    """Migrates and seeds; called by `run` and `up` before any service starts."""
    await migrate(database_url)
    if settings.database_url is None:
        _write_down(settings, database_url)
    database = await Database.connect(database_url, application_name="threadworks", min_size=1, max_size=2)
    try:
        await demo.seed(database, tool_services=settings.tool_service_names, with_key=settings.on_loopback)
    finally:
        await database.close()


def _write_down(settings: LocalSettings, database_url: str) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.database_url_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(database_url + "\n")
