"""Real servers for the tests of all members, started once a session and only when a test asks for one.

All logic is in `threadworks.local_servers`.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from threadworks.local_servers import LocalKafka, LocalPostgres
from threadworks.local_servers.kafka_for_tests import Broker, choose_kafka, missing_is_failure

FreshDatabase = Callable[..., Awaitable[str]]
AnyBroker = TypeVar("AnyBroker", bound=Broker)


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A short path of our own: socket paths are limited, and pytest closes its folders to other accounts."""
    directory = Path(tempfile.mkdtemp(prefix="threadworks-tests-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
async def postgres(server_directory: Path) -> AsyncIterator[LocalPostgres]:
    """A running PostgreSQL 18 without fsync: its data need not survive the machine."""
    server = LocalPostgres(server_directory / "postgres", settings={"fsync": "off"})
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def fresh_database(postgres: LocalPostgres) -> FreshDatabase:
    """`await fresh_database()` creates an empty database and returns its URL; `template=` names one to copy."""

    async def create(*, template: str | None = None) -> str:
        return await postgres.create_database(f"test_{uuid.uuid4().hex}", template=template)

    return create


@pytest.fixture(scope="session")
async def postgres_url(fresh_database: FreshDatabase) -> str:
    """URL of one database that is empty at the session's start."""
    return await fresh_database()


@pytest.fixture
async def database_url(postgres: LocalPostgres) -> AsyncIterator[str]:
    """URL of an empty database for one test, dropped after it."""
    name = f"test_{uuid.uuid4().hex}"
    yield await postgres.create_database(name)
    await postgres.drop_database(name)


@pytest.fixture(scope="session")
async def kafka(server_directory: Path) -> AsyncIterator[Broker]:
    """The session's Kafka: `kafka.bootstrap_servers`. Use topics and groups with names of your own."""
    async with _running(choose_kafka(os.environ, server_directory / "kafka")) as broker:
        yield broker


@pytest.fixture
async def own_kafka(server_directory: Path) -> AsyncIterator[LocalKafka]:
    """A Kafka for one test alone, which may kill it and start it again on its data."""
    broker = LocalKafka(server_directory / f"kafka-{uuid.uuid4().hex}")
    async with _running(broker):
        yield broker


@asynccontextmanager
async def _running(broker: AnyBroker) -> AsyncIterator[AnyBroker]:
    try:
        await broker.start()
    except Exception as error:
        if missing_is_failure(os.environ):
            raise
        pytest.skip(f"no Kafka: {error}")
    yield broker
    await broker.stop()
