"""A whole installation on a PostgreSQL and a Kafka that want TLS and passwords; what it says when they refuse it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from installation import Installation
from secured_servers import KAFKA_PASSWORD, PASSWORD, Authority, SecuredPostgres, secured_kafka
from threadworks import demo
from threadworks.local_servers import LocalKafka

PATIENCE = 60
WRONG_PASSWORD = "wrong-password-4711"


@pytest.fixture(scope="module")
def authority(server_directory: Path) -> Authority:
    return Authority(server_directory / "secured" / "certificates")


@pytest_asyncio.fixture(scope="module")
async def postgres_with_tls(server_directory: Path, authority: Authority) -> AsyncIterator[SecuredPostgres]:
    server = SecuredPostgres(server_directory / "secured" / "postgres", authority)
    (server_directory / "secured" / "postgres").mkdir(parents=True)
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module")
async def kafka_with_tls(server_directory: Path, authority: Authority) -> AsyncIterator[LocalKafka]:
    broker = secured_kafka(server_directory / "secured" / "kafka", authority, certificates_of_clients=True)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
def environment(postgres_with_tls: SecuredPostgres, kafka_with_tls: LocalKafka, authority: Authority) -> dict[str, str]:
    certificate, key = authority.issue("threadworks.client")
    return {
        "THREADWORKS_DATABASE_URL": postgres_with_tls.url(),
        "THREADWORKS_KAFKA_BOOTSTRAP": kafka_with_tls.address_of("SECURED"),
        "THREADWORKS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "THREADWORKS_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "THREADWORKS_KAFKA_SASL_USERNAME": "threadworks",
        "THREADWORKS_KAFKA_SASL_PASSWORD": KAFKA_PASSWORD,
        "THREADWORKS_KAFKA_CA_FILE": str(authority.file),
        "THREADWORKS_KAFKA_CERTIFICATE_FILE": str(certificate),
        "THREADWORKS_KAFKA_KEY_FILE": str(key),
    }


async def test_a_course_question_over_encrypted_connections(
    environment: Mapping[str, str], tmp_path: Path, postgres_with_tls: SecuredPostgres
) -> None:
    installation = Installation("up", tmp_path, environment)
    try:
        await installation.start()
        sdk = installation.client()
        run = await sdk.beta.threads.create_and_run_poll(
            assistant_id=demo.ASSISTANT,
            thread={"messages": [{"role": "user", "content": "was sind die termine für diesen kurs"}]},
        )
        assert run.status == "completed", run.last_error
        messages = await sdk.beta.threads.messages.list(run.thread_id)
        assert "25.10." in str(messages.data[0].content)
        assert await postgres_with_tls.unencrypted_sessions() == 0
    finally:
        await installation.stop()
    said = installation.logs()
    assert KAFKA_PASSWORD not in said
    assert PASSWORD not in said


async def _refused(environment: Mapping[str, str]) -> dict[str, Any]:
    """Start a moodle-tool, the smallest service, which has to end by itself; give the line that says why."""
    told = {name: value for name, value in os.environ.items() if not name.startswith(("THREADWORKS_", "OPENAI_"))}
    told |= {"THREADWORKS_MOODLE_BASE_URL": "http://127.0.0.1:1", "THREADWORKS_MOODLE_TOKEN": "none", **environment}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moodle_tool"),
        env=told,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 1, said
    assert b"Traceback" not in said
    for secret in (KAFKA_PASSWORD, WRONG_PASSWORD):
        assert secret.encode() not in said
    (line,) = [line for line in said.splitlines() if b"login_refused" in line]
    return dict(orjson.loads(line))


async def test_a_wrong_password_ends_a_service(environment: dict[str, str]) -> None:
    environment["THREADWORKS_KAFKA_SASL_PASSWORD"] = WRONG_PASSWORD
    line = await _refused(environment)
    assert line["check"] == "THREADWORKS_KAFKA_SASL_USERNAME and THREADWORKS_KAFKA_SASL_PASSWORD"
    assert line["reason"].endswith("refuses user name or password")


async def test_a_broker_that_another_authority_has_signed_is_not_trusted(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["THREADWORKS_KAFKA_CA_FILE"] = str(Authority(tmp_path / "others").file)
    line = await _refused(environment)
    assert line["check"] == "THREADWORKS_KAFKA_CA_FILE"
    assert "is not trusted" in line["reason"]


async def test_a_broker_that_wants_a_certificate_says_so(environment: dict[str, str]) -> None:
    del environment["THREADWORKS_KAFKA_CERTIFICATE_FILE"], environment["THREADWORKS_KAFKA_KEY_FILE"]
    assert (await _refused(environment))["check"] == "THREADWORKS_KAFKA_CERTIFICATE_FILE"


async def test_a_mechanism_that_the_broker_does_not_know_is_named(environment: dict[str, str]) -> None:
    environment["THREADWORKS_KAFKA_SASL_MECHANISM"] = "PLAIN"
    assert (await _refused(environment))["check"] == "THREADWORKS_KAFKA_SASL_MECHANISM"
