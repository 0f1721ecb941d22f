"""Which errors of PostgreSQL pass by themselves. Everything that talks to it does so inside `unavailable()`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from run_engine.errors import DatabaseRefused, DatabaseUnavailable, DatabaseUrlUnusable

# The server is away, starting, stopping or a standby, is out of places, memory or disk, or has given a statement up
# (deadlock, lock, time-out, a schema that has just changed). The same statement may go through a moment later.
_PASSING: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidCachedStatementError,
    # A connection that the server closed while a statement was being sent leaves the driver in a state that it did not
    # expect; the pool throws such a connection away. Also the driver's cache of a schema that has just changed.
    asyncpg.InternalClientError,
)

_REFUSED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


@contextmanager
def unavailable() -> Iterator[None]:
    """Turns what passes by itself into `DatabaseUnavailable`, without the server's address or values in the text."""
    try:
        yield
    except _PASSING as error:
        raise DatabaseUnavailable(f"PostgreSQL is unavailable ({type(error).__name__})") from error


@contextmanager
def readable_url() -> Iterator[None]:
    """Around connecting, inside `unavailable()`: no waiting helps an address that the driver cannot read, and its words
    for that quote what stands where it expects a port: a piece of the password that has a '/' in it. Neither does it
    help a wrong password.
    """
    try:
        yield
    except (ValueError, asyncpg.ClientConfigurationError):
        raise DatabaseUrlUnusable from None
    except _REFUSED as error:
        raise DatabaseRefused(type(error).__name__.removesuffix("Error")) from None
