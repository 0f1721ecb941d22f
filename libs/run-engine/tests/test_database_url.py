"""An address of the database that cannot be read: said at once, and without a piece of its password."""

import asyncpg
import pytest
from run_engine.errors import DatabaseRefused, DatabaseUrlUnusable
from run_engine.store.database import Database
from run_engine.store.faults import readable_url
from run_engine.store.migrate import migrate

UNREADABLE = [
    "postgresql://user:gehe/imnis@host/name",
    "postgresql://user:gehe#imnis@host/name",
    "postgresql://user:gehe?imnis@host/name",
    "user:geheimnis@host/name",
    "mysql://user:geheimnis@host/name",
]


@pytest.mark.parametrize("url", UNREADABLE)
async def test_an_unreadable_address_is_neither_waited_for_nor_repeated(url: str) -> None:
    with pytest.raises(DatabaseUrlUnusable, match="percent-encoded") as connecting:
        await Database.connect(url, application_name="test")
    with pytest.raises(DatabaseUrlUnusable, match="percent-encoded") as migrating:
        await migrate(url)
    for raised in (connecting, migrating):
        assert "gehe" not in str(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__


async def test_a_server_that_refuses_the_connection_is_not_waited_for_and_the_setting_is_named(
    database_url: str,
) -> None:
    for wrong in (
        database_url.replace("/test_", "/nobody_"),
        database_url.replace("//postgres@", "//nobody:geheimnis@"),
    ):
        assert wrong != database_url
        with pytest.raises(DatabaseRefused, match="THREADWORKS_DATABASE_URL") as connecting:
            await Database.connect(wrong, application_name="test")
        with pytest.raises(DatabaseRefused):
            await migrate(wrong)
        assert "geheimnis" not in str(connecting.value)


def test_a_wrong_password_is_refused_in_the_same_way() -> None:
    with pytest.raises(DatabaseRefused, match="InvalidPassword"), readable_url():
        raise asyncpg.InvalidPasswordError("x")
