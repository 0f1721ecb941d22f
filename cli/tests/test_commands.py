"""The operator's commands, on a real PostgreSQL and a real Kafka."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from message_contracts import catalogue
from run_engine.store.database import Database
from run_engine.store.tenants import Tenants
from threadworks import demo
from threadworks.database_setup import prepare_database
from threadworks.local_servers.kafka_for_tests import Broker
from threadworks.settings import LocalSettings


def threadworks(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "threadworks", *arguments],
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(threadworks, *arguments, **environment)


async def test_migrate_says_what_it_did(database_url: str) -> None:
    first = await command("migrate", THREADWORKS_DATABASE_URL=database_url)
    assert (first.returncode, first.stderr) == (0, "")
    assert "applied 0001 run_engine" in first.stdout
    second = await command("migrate", THREADWORKS_DATABASE_URL=database_url)
    assert second.stdout == "the schema is up to date\n"


async def test_a_key_is_shown_once_and_works(database_url: str) -> None:
    await command("migrate", THREADWORKS_DATABASE_URL=database_url)
    made = await command(
        "keys",
        "create",
        "--tenant",
        "acme",
        "--scope",
        "api",
        "--scope",
        "events",
        THREADWORKS_DATABASE_URL=database_url,
    )
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("sk-threadworks-")
    database = await Database.connect(database_url, application_name="test", max_size=2)
    try:
        principal = await Tenants(database).authenticate(key)
        assert principal is not None
        assert (principal.tenant_id, principal.scopes) == ("acme", {"api", "events"})
        assert await Tenants(database).authenticate(key + "x") is None
    finally:
        await database.close()


async def test_an_unknown_scope_is_refused(database_url: str) -> None:
    refused = await command(
        "keys", "create", "--tenant", "acme", "--scope", "root", THREADWORKS_DATABASE_URL=database_url
    )
    assert refused.returncode == 2
    assert "no such scope: root" in refused.stderr


async def test_topics_are_created_once_and_as_declared(kafka: Broker) -> None:
    name = "test-tools"
    told = {"THREADWORKS_KAFKA_BOOTSTRAP": kafka.bootstrap_servers, "THREADWORKS_TOOL_SERVICES": name}
    first = await command("topics", "apply", "--replication-factor", "1", **told)
    assert first.returncode == 0, first.stderr
    assert f"created {catalogue.tool_calls_topic(name).name}" in first.stdout
    second = await command("topics", "apply", "--replication-factor", "1", **told)
    assert (second.returncode, second.stdout) == (0, "all topics are as declared\n")
    third = await command("topics", "apply", "--replication-factor", "3", **told)
    assert third.returncode == 1
    assert "differs threadworks.messages.v1: replicas [1], asked for 3" in third.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("migrate",), "THREADWORKS_DATABASE_URL"),
        (("topics", "apply"), "THREADWORKS_KAFKA_BOOTSTRAP"),
        (("keys", "create", "--tenant", "t"), "THREADWORKS_DATABASE_URL"),
    ],
)
async def test_a_missing_setting_is_named(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    refused = await command(*arguments, THREADWORKS_DATA_DIR=str(tmp_path))
    assert refused.returncode == 2
    assert named in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("mode", ["run", "up"])
async def test_a_wrong_setting_is_named_without_its_value(tmp_path: Path, mode: str) -> None:
    refused = await command(mode, THREADWORKS_DATA_DIR=str(tmp_path), THREADWORKS_PORT="eighty")
    assert refused.returncode == 2
    assert "THREADWORKS_PORT" in refused.stderr
    assert "eighty" not in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("THREADWORKS_DATABASE_URL", "http://a-secret"),
        ("THREADWORKS_DATABASE_URL", "postgresql://me:a-secret@host:port/name"),
        ("THREADWORKS_KAFKA_BOOTSTRAP", "a-secret"),
        ("THREADWORKS_MOODLE_BASE_URL", "a-secret"),
        ("OPENAI_BASE_URL", "a-secret"),
        ("THREADWORKS_TOOL_SERVICES", "moodle, a-secret/.."),
    ],
)
async def test_a_wrong_address_is_named_before_anything_starts(tmp_path: Path, name: str, value: str) -> None:
    token = {"THREADWORKS_MOODLE_TOKEN": "t"}
    refused = await command("run", THREADWORKS_DATA_DIR=str(tmp_path / "data"), **token, **{name: value})
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"threadworks cannot start: {name}: ")
    assert refused.stderr.count("\n") == 1
    assert "a-secret" not in refused.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("migrate",), "PostgreSQL is unavailable"),
        (("keys", "create", "--tenant", "t"), "PostgreSQL is unavailable"),
        (("topics", "apply"), "no Kafka broker answers at 127.0.0.1:1"),
    ],
)
async def test_a_server_that_is_away_is_said_in_one_line(arguments: tuple[str, ...], named: str) -> None:
    failed = await command(
        *arguments,
        THREADWORKS_DATABASE_URL="postgresql://me:a-secret@127.0.0.1:1/nothing",
        THREADWORKS_KAFKA_BOOTSTRAP="127.0.0.1:1",
    )
    assert failed.returncode == 1
    assert named in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr
    assert "a-secret" not in failed.stderr


async def test_no_key_is_made_in_a_database_without_a_schema(database_url: str) -> None:
    refused = await command("keys", "create", "--tenant", "t", THREADWORKS_DATABASE_URL=database_url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("threadworks: The database's schema is 0, this code needs ")
    assert refused.stderr.count("\n") == 1


async def test_a_refusal_of_postgresql_or_kafka_is_said_in_one_line(database_url: str, kafka: Broker) -> None:
    nobody = database_url.replace("/test_", "/nobody_")
    refused = await command("migrate", THREADWORKS_DATABASE_URL=nobody)
    assert refused.returncode == 1
    assert "THREADWORKS_DATABASE_URL has to name" in refused.stderr
    assert refused.stderr.count("\n") == 1
    told = {"THREADWORKS_KAFKA_BOOTSTRAP": kafka.bootstrap_servers, "THREADWORKS_TOOL_SERVICES": "copied-often"}
    refused = await command("topics", "apply", "--replication-factor", "9", **told)
    assert refused.returncode == 1
    assert refused.stderr.startswith("threadworks: threadworks.")
    assert refused.stderr.count("\n") == 1


async def test_a_moodle_without_a_token_is_refused(tmp_path: Path) -> None:
    refused = await command(
        "run", THREADWORKS_DATA_DIR=str(tmp_path), THREADWORKS_MOODLE_BASE_URL="https://moodle.example"
    )
    assert refused.returncode == 2
    assert "THREADWORKS_MOODLE_TOKEN" in refused.stderr


@pytest.mark.parametrize("mode", ["run", "up"])
async def test_a_database_that_is_away_is_named_in_one_line(tmp_path: Path, mode: str) -> None:
    failed = await command(
        mode,
        THREADWORKS_DATA_DIR=str(tmp_path),
        THREADWORKS_PORT="0",
        THREADWORKS_DATABASE_URL="postgresql://me:a-secret@127.0.0.1:1/nothing",
        THREADWORKS_KAFKA_BOOTSTRAP="127.0.0.1:1",
    )
    assert failed.returncode == 1
    assert "PostgreSQL" in failed.stderr
    assert "a-secret" not in failed.stderr + failed.stdout
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("threadworks.example", False),
    ],
)
def test_the_demo_key_is_for_loopback_only(host: str, loopback: bool) -> None:
    assert LocalSettings(host=host).on_loopback is loopback


async def test_the_demo_key_goes_when_the_host_is_public(
    fresh_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> None:
    url = await fresh_database()
    database = await Database.connect(url, application_name="test", max_size=2)
    try:
        await prepare_database(LocalSettings(data_dir=tmp_path, database_url=url), url)  # type: ignore[arg-type]
        assert await Tenants(database).authenticate(demo.KEY) is not None
        public = LocalSettings(data_dir=tmp_path, database_url=url, host="0.0.0.0")  # type: ignore[arg-type]
        await prepare_database(public, url)
        assert await Tenants(database).authenticate(demo.KEY) is None
    finally:
        await database.close()
