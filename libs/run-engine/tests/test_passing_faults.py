"""What passes by itself is an unavailable database, and nothing else is."""

import asyncpg
import pytest

from run_engine.errors import DatabaseUnavailable
from run_engine.store.faults import unavailable


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("x"),
        TimeoutError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.AdminShutdownError("x"),
        asyncpg.CannotConnectNowError("x"),
        asyncpg.DeadlockDetectedError("x"),
        # Seen when the server was killed while a statement was on its way.
        asyncpg.InternalClientError("cannot switch to state 12; another operation is in progress"),
        asyncpg.OutdatedSchemaCacheError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_that_passes(error: Exception) -> None:
    with pytest.raises(DatabaseUnavailable) as away, unavailable():
        raise error
    assert type(error).__name__ in str(away.value)


@pytest.mark.parametrize("error", [asyncpg.UniqueViolationError("x"), asyncpg.UndefinedTableError("x"), KeyError("x")])
def test_a_mistake_stays_a_mistake(error: Exception) -> None:
    with pytest.raises(type(error)), unavailable():
        raise error
