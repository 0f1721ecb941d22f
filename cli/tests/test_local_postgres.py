"""The embedded PostgreSQL: starts, keeps its data through a crash, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest
from threadworks.local_servers import DataDirectoryInUseError, LocalPostgres

STARTS_AND_IS_KILLED = """
import asyncio, os, pathlib, signal, sys
from threadworks.local_servers import {server}
async def main():
    server = {server}(pathlib.Path(sys.argv[1]))
    await server.start()
    print(server.process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def _one(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def gone_within(pid: int, seconds: float) -> bool:
    """Whether the process ends in time: psutil wakes up at its end."""
    try:
        psutil.Process(pid).wait(seconds)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


async def test_each_database_is_new_and_empty_and_sorts_alike_everywhere(database_url: str) -> None:
    count = await _one(database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    assert count == 0
    assert await _one(database_url, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"
    assert await _one(database_url, "SHOW timezone") == "UTC"


async def test_two_instances_do_not_meet_and_data_survives_kill_and_stop(server_directory: Path) -> None:
    first = LocalPostgres(server_directory / "first", settings={"fsync": "off"})
    second = LocalPostgres(server_directory / "second", settings={"fsync": "off"})
    try:
        await first.start()
        await second.start()
        assert first.url() != second.url()
        await _one(first.url(), "CREATE TABLE kept AS SELECT 1 AS one")
        await first.kill()
        await first.start()
        assert await _one(first.url(), "SELECT one FROM kept") == 1
        await first.stop()
        await first.start()
        assert await _one(first.url(), "SELECT one FROM kept") == 1
        assert await _one(second.url(), "SELECT to_regclass('kept')") is None
    finally:
        await first.stop()
        await second.stop()


async def test_one_data_directory_has_one_server(server_directory: Path, postgres: LocalPostgres) -> None:
    with pytest.raises(DataDirectoryInUseError, match="stop it, or set another directory"):
        await LocalPostgres(server_directory / "postgres").start()
    assert await _one(postgres.url(), "SELECT 1") == 1


async def test_a_path_too_long_for_a_socket_works_and_its_short_folder_goes_again(server_directory: Path) -> None:
    server = LocalPostgres(server_directory / ("deep" * 30), settings={"fsync": "off"})
    await server.start()
    socket_folder = Path(server.url().partition("host=")[2])
    try:
        assert await _one(server.url(), "SELECT 1") == 1
        assert socket_folder.stat().st_mode & 0o077 == 0
    finally:
        await server.stop()
    assert not socket_folder.exists()


async def test_a_stale_process_id_file_does_not_stop_the_start(server_directory: Path) -> None:
    server = LocalPostgres(server_directory / "stale", settings={"fsync": "off"})
    await server.start()
    await server.kill()
    # After a reboot this number may belong to a living process: ours, here.
    pid_file = server_directory / "stale" / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    try:
        await server.start()
        assert await _one(server.url(), "SELECT 1") == 1
    finally:
        await server.stop()


def test_a_killed_parent_leaves_no_server_behind(server_directory: Path) -> None:
    script = STARTS_AND_IS_KILLED.format(server="LocalPostgres")
    started = time.monotonic()
    parent = subprocess.run(
        [sys.executable, "-c", script, str(server_directory / "orphan")], check=False, capture_output=True, text=True
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    pid = int(parent.stdout.splitlines()[-1])
    assert gone_within(pid, 10), f"server {pid} still runs {time.monotonic() - started:.0f} s later"
