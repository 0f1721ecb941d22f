"""The three paths of the ops port, over real HTTP, and a clean start and stop."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator

import httpx
import pytest
from observability import Meters, Metric, OpsServer


class Database:
    """A dependency whose absence a check reports."""

    missing: str | None = None

    def check(self) -> str | None:
        return self.missing


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def loop() -> Database:
    return Database()


CLAIMED = Metric(name="runs_claimed_total", kind="counter", help="Runs claimed.")


@pytest.fixture
def meters() -> Meters:
    meters = Meters()
    meters.counter(CLAIMED).inc(3)
    return meters


@pytest.fixture
async def client(database: Database, loop: Database, meters: Meters) -> AsyncIterator[httpx.AsyncClient]:
    checks = {"database": database.check, "kafka": lambda: None}
    server = OpsServer(0, checks, alive={"event_loop": loop.check}, meters=meters)
    await server.start()
    assert server.port != 0
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        yield client
    await server.stop()


async def test_healthz_answers_even_when_something_is_missing(client: httpx.AsyncClient, database: Database) -> None:
    database.missing = "not connected"
    reply = await client.get("/healthz")
    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


async def test_healthz_names_what_only_a_new_process_can_mend(client: httpx.AsyncClient, loop: Database) -> None:
    loop.missing = "it has not turned for 12 s"
    reply = await client.get("/healthz")
    assert reply.status_code == 503
    assert reply.json() == {"status": "failing", "failing": {"event_loop": "it has not turned for 12 s"}}
    assert (await client.get("/readyz")).status_code == 200


async def test_readyz_names_what_is_missing_as_of_now(client: httpx.AsyncClient, database: Database) -> None:
    reply = await client.get("/readyz")
    assert (reply.status_code, reply.json()) == (200, {"missing": {}})
    database.missing = "not connected"
    reply = await client.get("/readyz")
    assert (reply.status_code, reply.json()) == (503, {"missing": {"database": "not connected"}})


async def test_a_check_that_raises_makes_not_ready_and_its_text_stays_inside() -> None:
    def broken() -> str | None:
        raise RuntimeError("postgresql://user:password@host")

    server = OpsServer(0, {"database": broken})
    await server.start()
    async with httpx.AsyncClient() as client:
        reply = await client.get(f"http://127.0.0.1:{server.port}/readyz")
    await server.stop()
    assert reply.status_code == 503
    assert reply.json() == {"missing": {"database": "the check failed with RuntimeError"}}


async def test_metrics_in_both_text_formats(client: httpx.AsyncClient) -> None:
    reply = await client.get("/metrics")
    assert "runs_claimed_total 3.0" in reply.text
    assert "process_cpu_seconds_total" in reply.text
    assert reply.headers["content-type"].startswith("text/plain")
    openmetrics = await client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


async def test_two_servers_of_one_process_do_not_collide_and_stop_twice() -> None:
    servers = [OpsServer(0, {}) for _ in range(2)]
    for server in servers:
        await server.start()
    assert servers[0].port != servers[1].port
    for server in servers:
        await server.stop()
        await server.stop()
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", server.port)


async def test_a_taken_port_is_an_error_of_start() -> None:
    first = OpsServer(0, {})
    await first.start()
    with pytest.raises(OSError, match=r"in use.*: set THREADWORKS_OPS_HOST or THREADWORKS_OPS_PORT"):
        await OpsServer(first.port, {}).start()
    await first.stop()


async def test_an_address_of_nobody_names_the_settings() -> None:
    for host in ("192.0.2.1", "999.9.9.9"):
        with pytest.raises(OSError, match=f"^{host}:0 cannot be listened on .*: set THREADWORKS_OPS_HOST"):
            await OpsServer(0, {}, host).start()


async def test_the_signals_of_the_process_stay_with_the_process(caplog: pytest.LogCaptureFixture) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    server = OpsServer(0, {})
    with caplog.at_level(logging.WARNING):
        await server.start()
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
        await server.stop()
    assert caplog.records == []
