"""One migrated database for the tests of the store; each test has a tenant of its own in it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from engine_world import World
from run_engine.store.database import Database
from run_engine.store.migrate import migrate


@pytest_asyncio.fixture(scope="session")
async def store_url(fresh_database: Callable[[], Awaitable[str]]) -> str:
    url = await fresh_database()
    await migrate(url)
    return url


@pytest_asyncio.fixture(scope="session")
async def store(store_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(store_url, application_name="tests", max_size=12)
    yield database
    await database.close()


@pytest.fixture
def new_world(store: Database, store_url: str) -> Callable[[], Awaitable[World]]:
    return lambda: World.make(store, store_url)


@pytest_asyncio.fixture
async def world(new_world: Callable[[], Awaitable[World]]) -> World:
    return await new_world()


@pytest_asyncio.fixture
async def lonely_world(fresh_database: Callable[[], Awaitable[str]]) -> AsyncIterator[World]:
    """A world in a database of its own, for what sweeps across tenants."""
    url = await fresh_database()
    await migrate(url)
    database = await Database.connect(url, application_name="tests", max_size=8)
    yield await World.make(database, url)
    await database.close()
