"""The connection pool. Every other module of the store goes through `Database`, and names its statements."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, Self, TypeVar

import asyncpg
import orjson
from observability.trace_context import current_traceparent

from run_engine.errors import DatabaseUnavailable
from run_engine.store.faults import readable_url, unavailable
from run_engine.store.statements import Statement, encode_json, load_statements
from run_engine.store.traced_connection import TracedConnection
from run_engine.store.units import UnitOfWork, current_unit

_CONFIRM_SECONDS: Final = 1.0
"""Whoever is cancelled in the middle of a statement waits no longer than this: a shutdown, above all."""

Row = Mapping[str, Any]
Reply = TypeVar("Reply")


class Session:
    """One connection, inside or outside a transaction; runs statements by name with named parameters."""

    def __init__(self, connection: Any, statements: Mapping[str, Statement], timeout: float) -> None:
        self._connection = connection
        self._statements = statements
        self._timeout = timeout

    async def one(self, name: str, /, **values: Any) -> Row | None:
        """The first row of the statement `name`, or None."""
        statement = self._statements[name]
        await self._carry_trace(statement)
        row: Row | None = await self._reply(
            self._connection.fetchrow(statement.text, *statement.arguments(values), timeout=self._timeout)
        )
        return row

    async def row(self, name: str, /, **values: Any) -> Row:
        """The one row that the statement `name` always has."""
        row = await self.one(name, **values)
        if row is None:
            raise LookupError(f"the statement {name} must give a row and gave none")
        return row

    async def all(self, name: str, /, **values: Any) -> Sequence[Row]:
        """All rows of the statement `name`."""
        statement = self._statements[name]
        await self._carry_trace(statement)
        rows: Sequence[Row] = await self._reply(
            self._connection.fetch(statement.text, *statement.arguments(values), timeout=self._timeout)
        )
        return rows

    @asynccontextmanager
    async def atomic(self) -> AsyncIterator[None]:
        """A transaction, or a savepoint inside of one: what the block wrote is undone when it raises, and no more."""
        with unavailable():
            async with self._connection.transaction():
                yield

    async def _carry_trace(self, statement: Statement) -> None:
        if not statement.emits:
            return
        traceparent = current_traceparent()
        if traceparent is not None or self._connection.carried is not None:
            await self._reply(self._connection.carry(traceparent, self._timeout))

    async def _reply(self, reply: Awaitable[Reply]) -> Reply:
        try:
            return await reply
        except TimeoutError:
            # Nothing will come on this connection. Asking the server to cancel, and waiting for it to confirm that,
            # would hold a place in the pool for as long again.
            self._connection.terminate()
            raise


class Database:
    """A pool of connections to one PostgreSQL (15 or newer). What passes by itself becomes `DatabaseUnavailable`."""

    def __init__(
        self,
        pool: Any,
        statements: Mapping[str, Statement],
        timeout: float,
        connect_again: Callable[..., Awaitable["Database"]],
    ) -> None:
        self._pool = pool
        self._statements = statements
        self._timeout = timeout
        self._connect_again = connect_again

    @classmethod
    async def connect(
        cls, url: str, *, application_name: str, min_size: int = 2, max_size: int = 10, timeout: float = 10.0
    ) -> Self:
        """Opens the pool. `timeout` (seconds) bounds connecting, waiting for a free connection, and every statement.

        Raises `DatabaseUnavailable`, `DatabaseUrlUnusable` and `DatabaseRefused`.
        """
        milliseconds = str(round(timeout * 1000))
        with unavailable(), readable_url():
            pool = await asyncpg.create_pool(
                url,
                min_size=min_size,
                max_size=max_size,
                timeout=timeout,
                command_timeout=timeout,
                init=_prepare,
                reset=_keep,
                connection_class=TracedConnection,
                server_settings={
                    "application_name": application_name,
                    # Events carry times as text, so their zone must not depend on the server's settings.
                    "timezone": "UTC",
                    # JIT costs more than any of these statements.
                    "jit": "off",
                    # Planning these statements costs more than running them, and without this each connection plans
                    # each of them anew five times. One plan serves all values: `test_statements_at_size.py`.
                    "plan_cache_mode": "force_generic_plan",
                    # A process that freezes or vanishes in the middle of a move must not keep the run's lock: others
                    # could not take the run over for as long as its connection seems to live.
                    "statement_timeout": milliseconds,
                    "idle_in_transaction_session_timeout": milliseconds,
                },
            )
        return cls(pool, load_statements(), timeout, partial(cls.connect, url, application_name=application_name))

    async def apart(self, timeout: float) -> "Database":
        """One connection to the same server that is never shared, for what must not queue behind anything else."""
        return await self._connect_again(min_size=1, max_size=1, timeout=timeout)

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[Session]:
        """One READ COMMITTED transaction for all that the running task asks of this database in the block.

        Each of the other methods, `unit_of_work` included, is then a part of it: a savepoint, undone alone when it
        raises, and whose locks are the unit's if it does not. Everything is rolled back when the block raises. Relays
        hear of the block's events after the commit (`units.after_commit`). Tasks that are started in the block are not
        in the unit: they work, as ever, on connections of their own. The session is for statements that need no
        savepoint, because nothing follows when they fail, and raises the driver's errors.
        """
        outer = current_unit(self)
        if outer is not None:
            async with outer.part() as session:
                yield session
            return
        with unavailable():
            connection = await self._acquire()
        try:
            session = Session(connection, self._statements, self._timeout)
            unit = UnitOfWork(self, session)
            transaction = connection.transaction()
            with unavailable():
                await transaction.start()
            # The block may do anything: its own errors are no faults of the database.
            try:
                with unit.entered():
                    yield session
            except BaseException:
                with suppress(DatabaseUnavailable), unavailable():
                    await transaction.rollback()
                raise
            with unavailable():
                await transaction.commit()
        finally:
            await self._release(connection)
        unit.committed()

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """A connection in a READ COMMITTED transaction, rolled back when the block raises."""
        unit = current_unit(self)
        return self._transaction() if unit is None else unit.part()

    async def one(self, name: str, /, **values: Any) -> Row | None:
        """The first row of one statement in its own commit."""
        async with self._alone() as session:
            return await session.one(name, **values)

    async def row(self, name: str, /, **values: Any) -> Row:
        """The one row that a statement always has, in its own commit."""
        async with self._alone() as session:
            return await session.row(name, **values)

    async def all(self, name: str, /, **values: Any) -> Sequence[Row]:
        """All rows of one statement in its own commit."""
        async with self._alone() as session:
            return await session.all(name, **values)

    async def ping(self) -> None:
        """Returns when the server answers; raises `DatabaseUnavailable`."""
        await self.one("ping")

    @property
    def busy(self) -> int:
        """Connections that somebody uses."""
        return int(self._pool.get_size() - self._pool.get_idle_size())

    @property
    def idle(self) -> int:
        """Connections that wait for somebody."""
        return int(self._pool.get_idle_size())

    @property
    def limit(self) -> int:
        """Most connections that there may be."""
        return int(self._pool.get_max_size())

    async def close(self, timeout: float = 5.0) -> None:
        """Closes the pool; connections still busy after `timeout` seconds are cut."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout)
        except TimeoutError:
            self._pool.terminate()

    def _alone(self) -> AbstractAsyncContextManager[Session]:
        unit = current_unit(self)
        return self._session() if unit is None else unit.part()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Session]:
        async with self._session() as session, session.atomic():
            yield session

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        with unavailable():
            connection = await self._acquire()
            try:
                yield Session(connection, self._statements, self._timeout)
            finally:
                await self._release(connection)

    async def _acquire(self) -> Any:
        async with asyncio.timeout(self._timeout):
            return await self._pool.acquire()

    async def _release(self, connection: Any) -> None:
        # asyncpg cuts a connection that does not confirm in time that its statement was cancelled.
        with unavailable(), suppress(TimeoutError):
            await self._pool.release(connection, timeout=_CONFIRM_SECONDS)


async def _prepare(connection: Any) -> None:
    # jsonb's binary form is its text behind a version byte.
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + encode_json(value),
        decoder=lambda data: orjson.loads(data[1:]),
    )
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=encode_json, decoder=orjson.loads
    )


async def _keep(connection: Any) -> None:
    """Instead of asyncpg's reset, one more round trip for every statement: nothing in here changes a session."""
