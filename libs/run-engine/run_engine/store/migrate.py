"""Brings a database to this code's schema, and tells whether a schema and this code fit each other.

Migrations are numbered SQL files. The first line of each names the oldest code that can live with the schema it makes,
so that a rollout can migrate first and replace processes afterwards.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from run_engine.errors import SchemaUnsuitable
from run_engine.store.database import Database
from run_engine.store.faults import readable_url, unavailable

FOLDER: Final = Path(__file__).parent / "migrations"
# Any constant will do, as long as everybody who migrates takes the same one.
_ADVISORY_LOCK: Final = 7_340_112_905
_HEADER: Final = re.compile(r"-- oldest code that can live with this schema: (\d+)\n")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    oldest_code: int
    """The oldest number of code (= the last migration it knows) that works on the schema after this step."""
    sql: str


def known_migrations(folder: Path = FOLDER) -> list[Migration]:
    """The migrations that this code brings along, in order. Their last number is the number of this code."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        number, _, name = path.stem.partition("_")
        sql = path.read_text(encoding="utf-8")
        header = _HEADER.match(sql)
        if header is None:
            raise ValueError(f"{path.name} does not begin with the oldest code that can live with it")
        migrations.append(Migration(int(number), name, int(header[1]), sql))
    if [migration.number for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise ValueError("migrations must be numbered 1, 2, 3 … without gaps")
    return migrations


async def migrate(url: str, migrations: list[Migration] | None = None) -> list[Migration]:
    """Applies what is missing, each step in its own transaction, and returns it. Safe to run many times at once.

    Raises `DatabaseUnavailable`; the steps before are then applied, the one in the middle is not. Raises
    `DatabaseUrlUnusable` and `DatabaseRefused`, and `SchemaUnsuitable` where a newer version has excluded this one.
    """
    migrations = known_migrations() if migrations is None else migrations
    with unavailable():
        with readable_url():
            connection: Any = await asyncpg.connect(url, timeout=10)
        try:
            return await _apply(connection, migrations)
        finally:
            await connection.close()


async def _apply(connection: Any, migrations: list[Migration]) -> list[Migration]:
    await connection.execute("SELECT pg_advisory_lock($1)", _ADVISORY_LOCK)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number integer PRIMARY KEY, name text NOT NULL, "
        "oldest_code integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
    )
    applied, oldest = await connection.fetchrow(
        "SELECT coalesce(max(number), 0), coalesce(max(oldest_code), 0) FROM schema_migrations"
    )
    if oldest > migrations[-1].number:
        raise _code_is_too_old(applied, oldest, migrations[-1].number)
    missing = [migration for migration in migrations if migration.number > applied]
    for migration in missing:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (number, name, oldest_code) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.oldest_code,
            )
    return missing


async def require_suitable_schema(database: Database, migrations: list[Migration] | None = None) -> None:
    """Returns when this code can work on the database's schema; raises `SchemaUnsuitable`, which says what to do."""
    code = (known_migrations() if migrations is None else migrations)[-1].number
    row = await database.one("schema_state") if await _migrated(database) else None
    schema = row["number"] if row else 0
    if schema < code:
        raise SchemaUnsuitable(
            f"The database's schema is {schema}, this code needs {code}: run `threadworks migrate`.",
            schema=schema,
            code=code,
        )
    if row and row["oldest_code"] > code:
        raise _code_is_too_old(schema, row["oldest_code"], code)


def _code_is_too_old(schema: int, oldest: int, code: int) -> SchemaUnsuitable:
    message = f"The database's schema {schema} needs code {oldest} or newer, this is {code}: deploy a newer version."
    return SchemaUnsuitable(message, schema=schema, code=code)


async def _migrated(database: Database) -> bool:
    row = await database.one("is_migrated")
    return bool(row and row["migrated"])
