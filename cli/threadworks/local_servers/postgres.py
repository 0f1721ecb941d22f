"""A real PostgreSQL 18 for a laptop, for tests and for CI: no installed server, no Docker, also as root.

Used by `threadworks run`, `threadworks up` and the test fixtures. It listens on a Unix socket only, so two of them
never collide on a port.
"""

import asyncio
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import asyncpg
import structlog

from threadworks.local_servers.account import make_reachable, unprivileged_account
from threadworks.local_servers.data_directory import DataDirectory
from threadworks.local_servers.postgres_files import give_to, program, socket_directory
from threadworks.local_servers.server_process import ServerProcess

log = structlog.get_logger(__name__)

_SUPERUSER = "postgres"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.03
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresStartError(Exception):
    """PostgreSQL did not start: the message says why, the log file says more."""


class LocalPostgres:
    """One PostgreSQL on one data directory: `cluster/` holds the data, `server.log` what the server says.

    `settings` are server parameters on top of ours, for example {"fsync": "off"} for tests, whose data may be lost
    with the machine. `programs` is a folder of another PostgreSQL's programs than the wheel's. Start and stop as
    often as you like; the data stays.
    """

    def __init__(
        self, data_directory: Path, *, settings: Mapping[str, str] | None = None, programs: Path | None = None
    ) -> None:
        self._directory = DataDirectory(data_directory.resolve())
        self._cluster = self._directory.path / "cluster"
        self._settings = {**_SETTINGS, **(settings or {})}
        self._programs = programs
        self._account = unprivileged_account()
        self._socket_directory: Path | None = None
        self._process: ServerProcess | None = None

    @property
    def log_file(self) -> Path:
        """What initdb and the server wrote."""
        return self._directory.path / "server.log"

    @property
    def process(self) -> ServerProcess | None:
        """The running server, for a supervisor that watches it; None before start and after stop."""
        return self._process

    def url(self, database: str = _SUPERUSER) -> str:
        """Address of a database for asyncpg and libpq, over the Unix socket."""
        if self._socket_directory is None:
            raise RuntimeError("PostgreSQL has not been started")
        port = f"&port={self._settings['port']}" if "port" in self._settings else ""
        return f"postgresql://{_SUPERUSER}@/{database}?host={quote(str(self._socket_directory), safe='/')}{port}"

    async def start(self) -> None:
        """Create the cluster where it is missing, start the server, return when it answers a query.

        Raises DataDirectoryInUseError when another server runs on the directory and PostgresStartError when this one
        does not come up in 60 s.
        """
        if self._process is not None and self._process.exit_code is None:
            return
        self._directory.lock()
        try:
            if self._account is not None:
                make_reachable(self._program("postgres"))
                make_reachable(self._cluster)
            await self._ensure_cluster()
            self._socket_directory = socket_directory(self._cluster, self._account)
            self._process = self._launch()
            async with asyncio.timeout(_START_SECONDS):
                await self._answers(self._process)
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise PostgresStartError(f"PostgreSQL did not answer within {_START_SECONDS:g} s") from error
            raise

    async def stop(self) -> None:
        """End all connections, write a checkpoint, and return when nothing is left. Idempotent."""
        if self._process is not None:
            # SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one.
            await self._process.stop(signal.SIGINT, signal.SIGQUIT, grace=_STOP_SECONDS)
            self._process = None
        self._remove_short_socket_directory()
        self._directory.unlock()

    async def kill(self) -> None:
        """SIGKILL, as a crash would. `start` recovers the data."""
        if self._process is not None:
            await self._process.kill()
            self._process = None

    async def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create an empty database (or a copy of `template`, which nobody may use meanwhile) and return its URL."""
        source = "" if template is None else f" TEMPLATE {_quoted(template)}"
        await self._execute(f"CREATE DATABASE {_quoted(name)}{source}")
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Drop a database and end the connections to it, whoever holds them."""
        await self._execute(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    def _program(self, name: str) -> Path:
        return program(name) if self._programs is None else self._programs / name

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _ensure_cluster(self) -> None:
        if self._cluster.exists():
            # The lock is ours, so no server runs; after a reboot this number may be somebody else's.
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)
            return
        unfinished = self._directory.path / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        give_to(unfinished, self._account)
        initdb = ServerProcess(
            [
                *(str(self._program("initdb")), "-D", str(unfinished), "-U", _SUPERUSER, "--auth=trust"),
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *(("--no-sync",) if self._settings.get("fsync") == "off" else ()),
            ],
            log_file=self.log_file,
            working_directory=self._directory.path,
            account=self._account,
            keep_open=(self._directory.descriptor,),
        )
        try:
            exit_code = await initdb.exited()
        finally:
            await initdb.kill()
        if exit_code != 0:
            raise PostgresStartError(f"initdb ended with {exit_code}: see {self.log_file}")
        unfinished.rename(self._cluster)

    def _launch(self) -> ServerProcess:
        settings = {**self._settings, "unix_socket_directories": str(self._socket_directory)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ServerProcess(
            [str(self._program("postgres")), "-D", str(self._cluster), *options],
            log_file=self.log_file,
            working_directory=self._directory.path,
            account=self._account,
            death_signal=signal.SIGINT,
            keep_open=(self._directory.descriptor,),
        )

    async def _answers(self, process: ServerProcess) -> None:
        while True:
            if process.exit_code is not None:
                raise PostgresStartError(f"PostgreSQL ended with {process.exit_code}: see {self.log_file}")
            try:
                connection = await asyncpg.connect(self.url(), timeout=5)
            except (OSError, asyncpg.CannotConnectNowError, TimeoutError):
                await asyncio.sleep(_POLL_SECONDS)
                continue
            await connection.close()
            log.info("PostgreSQL answers", action="postgres_started", log_file=str(self.log_file))
            return

    def _remove_short_socket_directory(self) -> None:
        if self._socket_directory is not None and self._socket_directory != self._cluster:
            shutil.rmtree(self._socket_directory, ignore_errors=True)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
