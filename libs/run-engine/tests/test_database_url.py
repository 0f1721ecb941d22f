"""An address of the database that cannot be read: said at once, and without a piece of its password."""

import pytest
from run_engine.errors import DatabaseUrlUnusable
from run_engine.store.database import Database
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
