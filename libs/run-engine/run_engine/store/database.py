"""The connection pool and the statements. Every other module of the store goes through `Database`."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import aiosql
import asyncpg
import orjson
from aiosql.adapters.asyncpg import AsyncPGAdapter

from run_engine.errors import DatabaseUnavailable

SQL_FOLDER: Final = Path(__file__).parent / "sql"

Row = Mapping[str, Any]

# What asyncpg raises when the server is away, starting, stopping, or out of places.
_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One named statement: its text with $1, $2 … and the names of these parameters in order."""

    text: str
    parameters: tuple[str, ...]


def load_statements(folder: Path = SQL_FOLDER) -> dict[str, Statement]:
    """All statements of the SQL files in `folder` by name."""
    adapter: Any = AsyncPGAdapter()  # type: ignore[no-untyped-call]  # aiosql leaves its constructor untyped
    queries = aiosql.from_path(folder, lambda: adapter, mandatory_parameters=False)
    names: dict[str, list[str]] = defaultdict(list, adapter.var_sorted)
    return {
        name: Statement(getattr(queries, name).sql, tuple(names[name]))
        for name in queries.available_queries
        if not name.endswith("_cursor")
    }


class Session:
    """One connection, inside or outside a transaction; runs statements by name with named parameters."""

    def __init__(self, connection: Any, statements: Mapping[str, Statement]) -> None:
        self._connection = connection
        self._statements = statements

    async def one(self, name: str, /, **values: Any) -> Row | None:
        """The first row of the statement `name`, or None."""
        statement = self._statements[name]
        row: Row | None = await self._connection.fetchrow(
            statement.text, *[values[parameter] for parameter in statement.parameters]
        )
        return row

    async def row(self, name: str, /, **values: Any) -> Row:
        """The one row that the statement `name` always has."""
        return _sure(name, await self.one(name, **values))

    async def all(self, name: str, /, **values: Any) -> Sequence[Row]:
        """All rows of the statement `name`."""
        statement = self._statements[name]
        rows: Sequence[Row] = await self._connection.fetch(
            statement.text, *[values[parameter] for parameter in statement.parameters]
        )
        return rows


class Database:
    """A pool of connections to one PostgreSQL (15 or newer). Errors of reaching it become `DatabaseUnavailable`."""

    def __init__(self, pool: Any, statements: Mapping[str, Statement]) -> None:
        self._pool = pool
        self._statements = statements

    @classmethod
    async def connect(
        cls, url: str, *, application_name: str, min_size: int = 2, max_size: int = 10, timeout: float = 10.0
    ) -> Self:
        """Opens the pool. `timeout` (seconds) bounds connecting and every single statement."""
        with unavailable():
            pool = await asyncpg.create_pool(
                url,
                min_size=min_size,
                max_size=max_size,
                timeout=timeout,
                command_timeout=timeout,
                init=_prepare,
                # Events carry times as text, so their zone must not depend on the server's settings. JIT costs more
                # than any of these statements.
                server_settings={"application_name": application_name, "timezone": "UTC", "jit": "off"},
            )
        return cls(pool, load_statements())

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A connection without a transaction: each statement commits by itself."""
        with unavailable():
            async with self._pool.acquire() as connection:
                yield Session(connection, self._statements)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A connection in a READ COMMITTED transaction, rolled back when the block raises."""
        with unavailable():
            async with self._pool.acquire() as connection, connection.transaction():
                yield Session(connection, self._statements)

    async def one(self, name: str, /, **values: Any) -> Row | None:
        """The first row of one statement in its own commit."""
        statement = self._statements[name]
        with unavailable():
            row: Row | None = await self._pool.fetchrow(
                statement.text, *[values[parameter] for parameter in statement.parameters]
            )
        return row

    async def row(self, name: str, /, **values: Any) -> Row:
        """The one row that a statement always has, in its own commit."""
        return _sure(name, await self.one(name, **values))

    async def all(self, name: str, /, **values: Any) -> Sequence[Row]:
        """All rows of one statement in its own commit."""
        statement = self._statements[name]
        with unavailable():
            rows: Sequence[Row] = await self._pool.fetch(
                statement.text, *[values[parameter] for parameter in statement.parameters]
            )
        return rows

    async def ping(self) -> None:
        """Returns when the server answers; raises `DatabaseUnavailable`."""
        with unavailable():
            await self._pool.fetchval("SELECT 1")

    async def close(self, timeout: float = 5.0) -> None:
        """Closes the pool; connections still busy after `timeout` seconds are cut."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout)
        except TimeoutError:
            self._pool.terminate()


def _sure(name: str, row: Row | None) -> Row:
    if row is None:
        raise LookupError(f"the statement {name} must give a row and gave none")
    return row


@contextmanager
def unavailable() -> Iterator[None]:
    """Turns what asyncpg raises when PostgreSQL is away into `DatabaseUnavailable`, without the address in the text."""
    try:
        yield
    except _AWAY as error:
        raise DatabaseUnavailable(f"PostgreSQL is unavailable ({type(error).__name__})") from error


async def _prepare(connection: Any) -> None:
    # jsonb's binary form is its text behind a version byte.
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
    )
