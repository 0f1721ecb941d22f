"""One migrated database for the tests of the store; each test has a tenant of its own in it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from engine_world import World
from run_engine.store.database import Database
from run_engine.store.migrate import migrate


@pytest_asyncio.fixture(scope="session")
async def new_store_url(fresh_database: Callable[..., Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    """Makes migrated databases, as copies of one: that takes a tenth of the time of migrating."""
    template = await fresh_database()
    await migrate(template)
    name = urlsplit(template).path.removeprefix("/")
    return lambda: fresh_database(template=name)


@pytest_asyncio.fixture(scope="session")
async def store_url(new_store_url: Callable[[], Awaitable[str]]) -> str:
    return await new_store_url()


@pytest_asyncio.fixture(scope="session")
async def store(store_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(store_url, application_name="tests", max_size=12)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="session")
async def observers(store_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(store_url, min_size=1, max_size=8) as pool:
        yield pool


@pytest.fixture
def new_world(store: Database, observers: "asyncpg.Pool[asyncpg.Record]") -> Callable[[], Awaitable[World]]:
    return lambda: World.make(store, observers)


@pytest_asyncio.fixture
async def world(new_world: Callable[[], Awaitable[World]]) -> World:
    return await new_world()


@pytest_asyncio.fixture
async def lonely_url(new_store_url: Callable[[], Awaitable[str]]) -> str:
    return await new_store_url()


@pytest_asyncio.fixture
async def lonely_world(lonely_url: str) -> AsyncIterator[World]:
    """A world in a database of its own, for what sweeps across tenants."""
    database = await Database.connect(lonely_url, application_name="tests", min_size=1, max_size=8)
    async with asyncpg.create_pool(lonely_url, min_size=1, max_size=8) as observers:
        yield await World.make(database, observers)
    await database.close()
