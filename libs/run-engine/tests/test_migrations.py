"""Migrations: applied once, named, and checked against the code on both sides."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
from run_engine.errors import DatabaseUnavailable, SchemaUnsuitable
from run_engine.store.database import Database
from run_engine.store.migrate import Migration, known_migrations, migrate, require_suitable_schema


async def test_many_may_migrate_at_once(database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(database_url) for _ in range(5)))
    assert sorted(len(steps) for steps in applied) == [0, 0, 0, 0, len(known_migrations())]


async def test_a_schema_that_is_too_old_or_absent_is_refused(database_url: str) -> None:
    database = await Database.connect(database_url, application_name="test", max_size=2)
    try:
        with pytest.raises(SchemaUnsuitable, match="threadworks migrate"):
            await require_suitable_schema(database)
        await migrate(database_url)
        await require_suitable_schema(database)
        newer = [*known_migrations(), Migration(len(known_migrations()) + 1, "next", 1, "SELECT 1")]
        with pytest.raises(SchemaUnsuitable, match=f"this code needs {len(newer)}"):
            await require_suitable_schema(database, newer)
    finally:
        await database.close()


async def test_a_newer_schema_is_taken_when_it_allows_this_code(database_url: str) -> None:
    known = known_migrations()
    await migrate(database_url, [*known, Migration(len(known) + 1, "compatible", 1, "SELECT 1")])
    assert await migrate(database_url) == []
    database = await Database.connect(database_url, application_name="test", max_size=2)
    try:
        await require_suitable_schema(database)
        breaking = Migration(len(known) + 2, "breaking", len(known) + 2, "SELECT 1")
        await migrate(database_url, [*known, Migration(len(known) + 1, "compatible", 1, "SELECT 1"), breaking])
        with pytest.raises(SchemaUnsuitable, match="deploy a newer version"):
            await require_suitable_schema(database)
        with pytest.raises(SchemaUnsuitable, match="deploy a newer version"):
            await migrate(database_url)
    finally:
        await database.close()


async def test_a_step_that_fails_leaves_nothing_behind(database_url: str) -> None:
    broken = Migration(1, "broken", 1, "CREATE TABLE half (id int); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database_url, [broken])
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT to_regclass('half')") is None
        assert await connection.fetchval("SELECT count(*) FROM schema_migrations") == 0
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"0001_a.sql": "SELECT 1"}, "oldest code"),
        ({"0002_a.sql": "-- oldest code that can live with this schema: 1\n"}, "without gaps"),
    ],
)
def test_migrations_are_well_formed(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    for name, sql in files.items():
        (tmp_path / name).write_text(sql)
    with pytest.raises(ValueError, match=complaint):
        known_migrations(tmp_path)


async def test_a_database_that_is_away_is_named_without_its_address(
    fresh_database: Callable[[], Awaitable[str]],
) -> None:
    url = "postgresql://someone:a-secret@/nowhere?host=/tmp/no-such-directory"
    for attempt in (Database.connect(url, application_name="test", timeout=1), migrate(url)):
        with pytest.raises(DatabaseUnavailable) as away:
            await attempt
        assert "a-secret" not in str(away.value)


async def test_keys_are_found_by_their_index_from_the_first_row_on(database_url: str) -> None:
    # A table without statistics is taken for so small that the planner may walk along all rows of a tenant instead, and
    # plans are kept. The keys that every message looks up must not depend on that.
    await migrate(database_url)
    connection = await asyncpg.connect(database_url, server_settings={"plan_cache_mode": "force_generic_plan"})
    try:
        for table in ("threads", "users"):
            lookup = f"SELECT 1 FROM ONLY {table} x WHERE tenant_id = $1 AND id = $2 FOR KEY SHARE OF x"
            await connection.execute(f"PREPARE looked_up (text, text) AS {lookup}")
            plan = await connection.fetch("EXPLAIN EXECUTE looked_up('t', 'x')")
            assert any(f"using {table}_pkey" in row[0] for row in plan), plan
            await connection.execute("DEALLOCATE looked_up")
    finally:
        await connection.close()
