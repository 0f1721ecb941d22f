"""Opening the database at a process's start: it waits for a server, and for nothing that waiting does not mend."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from event_bus.in_process import InProcessBus
from run_engine.errors import DatabaseUnavailable, SchemaUnsuitable
from run_engine.process import EngineProcess
from run_engine.store import opening
from run_engine.store.database import Database
from run_engine.store.opening import open_database
from structlog.testing import capture_logs


class Pauses(list[float]):
    """A pause that takes no time and is remembered."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


async def test_it_waits_for_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch, store_url: str) -> None:
    real, pauses = Database.connect, Pauses()

    async def connect(*arguments: Any, **named: Any) -> Database:
        if len(pauses) < 7:
            raise DatabaseUnavailable("PostgreSQL is unavailable (ConnectionRefusedError)")
        return await real(*arguments, **named)

    monkeypatch.setattr(Database, "connect", connect)
    with capture_logs() as lines:
        database = await open_database(store_url, application_name="test", connections=1, pause=pauses)
    await database.ping()
    await database.close()
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert {line["action"] for line in lines} == {"database_waiting"}


async def test_it_pauses_too_when_a_server_goes_away_while_its_schema_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, store_url: str
) -> None:
    pauses = Pauses()
    opened: list[Database] = []

    async def look(database: Database) -> None:
        opened.append(database)
        if len(opened) < 4:
            raise DatabaseUnavailable("PostgreSQL is unavailable (ConnectionDoesNotExistError)")

    monkeypatch.setattr(opening, "require_suitable_schema", look)
    database = await open_database(store_url, application_name="test", connections=2, pause=pauses)
    assert pauses == [0.1, 0.2, 0.4]
    for left in opened[:-1]:
        with pytest.raises(DatabaseUnavailable):
            await left.ping()
    await database.ping()
    await database.close()


async def test_a_database_that_was_not_migrated_is_no_reason_to_wait(
    fresh_database: Callable[[], Awaitable[str]],
) -> None:
    url = await fresh_database()
    with pytest.raises(SchemaUnsuitable, match="threadworks migrate"):
        await open_database(url, application_name="test", connections=2, pause=Pauses())
    connection = await asyncpg.connect(url)
    left = await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    await connection.close()
    assert left == 1, "only the connection that asks"


async def test_a_process_waits_for_the_connection_of_its_lease(monkeypatch: pytest.MonkeyPatch, store_url: str) -> None:
    database = await open_database(store_url, application_name="test", connections=2, pause=Pauses())
    real, tries = database.apart, 0

    async def apart(timeout: float) -> Database:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise DatabaseUnavailable("PostgreSQL is unavailable (TimeoutError)")
        return await real(timeout)

    monkeypatch.setattr(database, "apart", apart)
    bus = InProcessBus()
    await bus.start()
    process = EngineProcess(database, bus.publisher, role="gateway")
    await process.start()
    assert tries == 2
    await process.stop()
    await bus.stop()
