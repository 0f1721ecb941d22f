"""The secret of the event feed: there is one, it stays, and no two installations share it."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from run_engine.store.database import Database
from run_engine.store.feed_key import FeedKey
from run_engine.store.migrate import migrate

FreshDatabase = Callable[[], Awaitable[str]]


async def key_of(url: str) -> bytes:
    database = await Database.connect(url, application_name="feed-key-tests")
    try:
        return await FeedKey(database).feed_key()
    finally:
        await database.close()


async def test_an_installation_has_one_secret_of_its_own(fresh_database: FreshDatabase) -> None:
    first, second = await fresh_database(), await fresh_database()
    await migrate(first)
    await migrate(second)
    key = await key_of(first)
    assert len(key) == 32
    assert len(set(key)) > 8
    await migrate(first)
    assert await key_of(first) == key
    assert await key_of(second) != key


async def test_there_is_never_a_second_one(fresh_database: FreshDatabase) -> None:
    url = await fresh_database()
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO feed_key (key) VALUES ($1)", b"k" * 32)
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("INSERT INTO feed_key (only_one, key) VALUES (false, $1)", b"k" * 32)
    finally:
        await connection.close()
