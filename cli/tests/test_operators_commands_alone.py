"""What containers use of the command: waiting for a schema, and an installation without the local part."""

import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import asyncpg
import pytest
from pydantic import SecretStr
from run_engine.errors import SchemaUnsuitable
from run_engine.store.migrate import migrate
from threadworks.__main__ import command
from threadworks.commands.migrate import wait_for_schema
from threadworks.settings import LocalSettings
from typer.testing import CliRunner


def settings(url: str) -> LocalSettings:
    return LocalSettings(database_url=SecretStr(url))


async def test_waiting_ends_when_somebody_has_migrated(database_url: str) -> None:
    said: list[str] = []
    pauses = 0

    async def pause(_seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 3:
            await migrate(database_url)

    await wait_for_schema(settings(database_url), say=said.append, pause=pause)
    assert pauses == 3
    assert len(said) == 2
    assert said[0].startswith("waiting: The database's schema is 0, this code needs ")
    assert said[1] == "the schema suits this version"


async def test_a_database_that_is_away_is_waited_for(database_url: str) -> None:
    await migrate(database_url)
    away = LocalSettings(database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"))
    here = settings(database_url)
    said: list[str] = []

    class There(Exception):
        """Ends the test: without it the waiting would go on."""

    async def pause(_seconds: float) -> None:
        raise There

    with pytest.raises(There):
        await wait_for_schema(away, say=said.append, pause=pause)
    assert said[0].startswith("waiting: ")
    await wait_for_schema(here, say=said.append, pause=pause)
    assert said[-1] == "the schema suits this version"


async def test_a_schema_that_excludes_this_code_is_not_waited_for(database_url: str) -> None:
    await migrate(database_url)
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO schema_migrations (number, name, oldest_code) VALUES (9000, 'of the future', 9000)"
    )
    await connection.close()
    with pytest.raises(SchemaUnsuitable, match="deploy a newer version"):
        await wait_for_schema(settings(database_url), say=lambda _: None)


class _Absent(importlib.abc.MetaPathFinder):
    """An installation in which a package is missing."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.split(".", maxsplit=1)[0] in self._names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


@pytest.mark.parametrize(
    ("name", "module"), [("run", "threadworks.all_in_one"), ("up", "threadworks.separate_processes")]
)
def test_run_and_up_say_what_they_need_where_it_is_not_installed(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in [each for each in sys.modules if each == module or each.split(".")[0] == "moodle_simulator"]:
        monkeypatch.delitem(sys.modules, each)
    monkeypatch.setattr(sys, "meta_path", [_Absent("moodle_simulator"), *sys.meta_path])
    result = CliRunner().invoke(command(), [name])
    assert result.exit_code == 2
    assert result.stderr == (
        "this installation has the operator's commands only (moodle_simulator is not installed): "
        "install threadworks[local]\n"
    )
