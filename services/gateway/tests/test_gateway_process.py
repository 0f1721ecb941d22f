"""`python -m gateway` as a process: which settings it misses, that it works without Kafka, how it ends."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from postgres_gate import gate_before
from threadworks.local_servers.ports import free_port

_NOT_INHERITED = "THREADWORKS_"


def environment(**settings: Any) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    return clean | {_NOT_INHERITED + name.upper(): str(value) for name, value in settings.items()}


async def run_to_its_end(**settings: Any) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environment(**settings), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()


@asynccontextmanager
async def running(
    until: str = "started", **settings: Any
) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str], httpx.AsyncClient]]:
    """A process with its lines of log, and a client of its ops port, once it is ready."""
    ops_port = free_port()
    listen_fd = settings.get("listen_fd")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env=environment(ops_port=ops_port, log_format="json", log_level="debug", **settings),
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(listen_fd,) if listen_fd is not None else (),
    )
    lines: list[str] = []

    async def read() -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            lines.append(line.decode())

    reading = asyncio.create_task(read())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ops_port}") as ops, asyncio.timeout(60):
        try:
            while not any(f'"action":"{until}"' in line for line in lines):
                assert process.returncode is None, lines
                await asyncio.sleep(0.05)
            yield process, lines, ops
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await reading


@pytest.mark.parametrize(
    ("settings", "sentences"),
    [
        (
            {},
            [
                "THREADWORKS_KAFKA_BOOTSTRAP is not set, set it to the brokers of the Kafka cluster",
                "THREADWORKS_DATABASE_URL is not set, set it to the address of a migrated PostgreSQL",
            ],
        ),
        (
            {"database_url": "mysql://ada:hunter2@host/db", "kafka_bootstrap": "localhost:1", "port": "http"},
            ["THREADWORKS_DATABASE_URL", "it does not begin with postgresql://", "THREADWORKS_PORT"],
        ),
    ],
)
async def test_wrong_settings_are_named(settings: dict[str, str], sentences: list[str]) -> None:
    code, errors = await run_to_its_end(**settings)
    assert code == 2
    assert len(errors.splitlines()) == 1
    for sentence in sentences:
        assert sentence in errors
    assert "hunter2" not in errors


async def test_a_database_that_was_not_migrated(fresh_database: Any) -> None:
    code, errors = await run_to_its_end(
        database_url=await fresh_database(), kafka_bootstrap=f"127.0.0.1:{free_port()}", port=0
    )
    assert code == 1
    assert "run `threadworks migrate`" in errors
    assert "Traceback" not in errors


async def test_a_process_without_kafka_serves_says_nothing_secret_and_ends_well(migrated_url: str, caller: Any) -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    headers = {"authorization": f"Bearer {caller.key}"}
    settings = {"database_url": migrated_url, "kafka_bootstrap": f"127.0.0.1:{free_port()}"}
    async with running(**settings, listen_fd=listener.fileno()) as (process, lines, ops):
        listener.close()
        ready = await ops.get("/readyz")
        told = {"publishing": f"Kafka at {settings['kafka_bootstrap']} was not reached yet"}
        assert (ready.status_code, ready.json()) == (503, {"missing": told})
        assert (await ops.get("/healthz")).status_code == 200
        async with httpx.AsyncClient(base_url=url, headers=headers) as http:
            body = {"messages": [{"role": "user", "content": "my secret is Zwiebelkuchen"}]}
            thread = await http.post("/threads", json=body)
            assert thread.status_code == 200, "Kafka is away, and the message is taken all the same"
            wrong = await http.get("/threads/x", headers={"authorization": "Bearer sk-somebody-elses-long-key"})
            assert wrong.status_code == 401
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    log = "".join(lines)
    assert '"action":"request"' in log, "at debug level every request has its line"
    for secret in (caller.key, "Zwiebelkuchen", "somebody-elses"):
        assert secret not in log
    assert await caller.count("messages") == 1
    assert await caller.count("outbox") == 1, "what was not published waits for the next process"


async def test_a_database_that_is_away_at_the_start_is_waited_for_and_named(migrated_url: str) -> None:
    away = f"postgresql://ada:hunter2@127.0.0.1:{free_port()}/threadworks"
    settings = {"database_url": away, "kafka_bootstrap": f"127.0.0.1:{free_port()}", "port": 0}
    async with running("database_waiting", **settings) as (process, lines, ops):
        missing = (await ops.get("/readyz")).json()["missing"]
        assert missing["gateway"] == "the database is not connected"
        assert (await ops.get("/healthz")).status_code == 200, "a new process would not find it either"
        assert "threadworks_event_loop_lag_seconds" in (await ops.get("/metrics")).text
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert "hunter2" not in "".join(lines)


async def test_a_process_that_dies_between_the_commit_and_the_reply(migrated_url: str, caller: Any) -> None:
    """Whoever repeats the request with its key gets the reply that never came, from another process."""
    headers = {"authorization": f"Bearer {caller.key}", "idempotency-key": "the-only-one"}
    body = {"assistant_id": await caller.assistant(), "thread": {"messages": [{"role": "user", "content": "hello"}]}}
    settings = {"kafka_bootstrap": f"127.0.0.1:{free_port()}", "port": free_port()}
    url = f"http://127.0.0.1:{settings['port']}/v1/threads/runs"
    async with gate_before(migrated_url) as gate, httpx.AsyncClient(headers=headers, timeout=60) as http:
        async with running(database_url=gate.url, **settings) as (process, _, _):
            gate.hold_replies_after(b"COMMIT;")
            asking = asyncio.create_task(http.post(url, json=body))
            async with asyncio.timeout(30):
                while not await caller.count("runs"):
                    await asyncio.sleep(0.01)
            assert not asking.done()
            process.kill()
            await process.wait()
            with pytest.raises(httpx.TransportError):
                await asking
        async with running(database_url=migrated_url, **settings):
            repeated, again = [await http.post(url, json=body) for _ in range(2)]
    assert repeated.headers["idempotent-replayed"] == "true"
    assert (repeated.status_code, repeated.content) == (200, again.content)
    rows = await caller.rows()
    assert (rows["runs"], rows["threads"], rows["messages"]) == (1, 1, 1)
    assert repeated.json()["id"] == (await caller.get(f"/threads/{repeated.json()['thread_id']}/runs"))["first_id"]


async def test_a_process_that_dies_before_the_commit(migrated_url: str, caller: Any) -> None:
    headers = {"authorization": f"Bearer {caller.key}", "idempotency-key": "the-only-one"}
    settings = {"kafka_bootstrap": f"127.0.0.1:{free_port()}", "port": free_port()}
    url = f"http://127.0.0.1:{settings['port']}/v1/threads"
    async with gate_before(migrated_url) as gate, httpx.AsyncClient(headers=headers, timeout=60) as http:
        async with running(database_url=gate.url, **settings) as (process, _, _):
            gate.hold_replies_after(b"SAVEPOINT")
            asking = asyncio.create_task(http.post(url))
            async with asyncio.timeout(30):
                while gate.passes_replies:
                    await asyncio.sleep(0.01)
            process.kill()
            await process.wait()
            with pytest.raises(httpx.TransportError):
                await asking
        async with running(database_url=migrated_url, **settings):
            repeated, again = [await http.post(url) for _ in range(2)]
    assert "idempotent-replayed" not in repeated.headers
    assert (repeated.status_code, repeated.content) == (200, again.content)
    assert await caller.count("threads") == 1
