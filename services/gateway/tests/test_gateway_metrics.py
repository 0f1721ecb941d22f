"""Every metric in the list of the gateway is shown, and changes when what it counts happens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from event_bus import Outcome, OutgoingRecord, PublishError
from event_bus.in_process import InProcessBus, InProcessPublisher
from gateway.adapters.metrics import DURATION, FEEDS, METRICS, REQUESTS, STREAMS, WAITS
from gateway.bootstrap import build
from gateway.entrypoints import http as http_entrypoint
from gateway.entrypoints.service import Gateway
from gateway.settings import GatewaySettings
from observability import LOOP_LAG, Heartbeat, Meters
from observability.metrics import Metric
from pydantic import SecretStr
from run_engine.outbox.metrics import BACKLOG, RELAYED, RUNS_ENDED
from run_engine.store.database import Database
from run_engine.store.metrics import (
    CONNECTIONS,
    CONNECTIONS_LIMIT,
    OUTBOX_AGE,
    OUTBOX_DEPTH,
    OUTBOX_REJECTED,
    QUEUE_AGE,
    RUNS,
)
from run_engine.store.migrate import migrate
from run_engine.store.tenants import Tenants
from scraped_metrics import Scrape, scrape

TENANT, KEY = "tenant_1", "sk-metrics-metrics-metrics"
AWAY = PublishError(retryable=True, reason="the broker is away")
REFUSED = PublishError(retryable=False, reason="too large")


class MoodyBus(InProcessBus):
    """A bus that says what it is told to say, and works without that."""

    says: Outcome = None

    @property
    def publisher(self) -> InProcessPublisher:
        publisher, bus = super().publisher, self

        class Moody(InProcessPublisher):
            async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
                return await publisher.publish(records) if bus.says is None else [bus.says] * len(records)

        return Moody(self._topics)


class World:
    """A gateway with a database of its own, and a client of it."""

    def __init__(self, gateway: Gateway, bus: MoodyBus, meters: Meters, http: httpx.AsyncClient) -> None:
        self.gateway, self.bus, self.meters, self.http = gateway, bus, meters, http

    @property
    def database(self) -> Database:
        assert self.gateway._engine is not None
        return self.gateway._engine.database

    async def post(self, path: str, **body: Any) -> Any:
        response = await self.http.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    async def until(self, condition: Callable[[Scrape], bool]) -> Scrape:
        """Scrape until it is so."""
        async with asyncio.timeout(20):
            while not condition(found := await self.scrape()):
                await asyncio.sleep(0.02)
        return found

    async def scrape(self) -> Scrape:
        self.meters._refreshed = None  # as if a second had passed since the last one
        return await scrape(self.meters)

    async def run(self) -> Any:
        assistant = await self.post("/assistants", model="demo")
        message = {"role": "user", "content": "hello"}
        return await self.post("/threads/runs", assistant_id=assistant["id"], thread={"messages": [message]})


@pytest_asyncio.fixture(scope="module")
async def world(
    fresh_database: Callable[[], Awaitable[str]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    url = await fresh_database()
    await migrate(url)
    bus, meters = MoodyBus(), Meters()
    await bus.start()
    settings = GatewaySettings(database_url=SecretStr(url), port=0, data_dir=tmp_path_factory.mktemp("data"))
    gateway = build(settings, bus, meters)
    await gateway.start()
    http = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{gateway.port}/v1", headers={"authorization": f"Bearer {KEY}"}, timeout=30
    )
    made = World(gateway, bus, meters, http)
    await Tenants(made.database).ensure(TENANT, "a tenant", [])
    await Tenants(made.database).add_key("key_1", TENANT, KEY, "for tests", ["all"])
    yield made
    await http.aclose()
    await gateway.stop()
    await bus.stop()


async def test_every_metric_of_the_list_is_shown(world: World) -> None:
    Heartbeat(world.meters)
    found = await world.scrape()
    assert found.missing(METRICS) == set()
    assert found.strangers(METRICS) == set()


async def test_requests_are_counted_by_dialect_route_method_and_status(world: World) -> None:
    before = await world.scrape()
    thread = await world.post("/threads")
    assert (await world.http.get(f"/threads/{thread['id']}")).status_code == 200
    assert (await world.http.get("/threads/thread_doesNotExistAtAll0000001")).status_code == 404
    assert (await world.http.get("/no/such/path")).status_code == 404
    await world.http.request("PURGE", "/threads")
    after = await world.scrape()

    def more(metric: Metric, **labels: str) -> float:
        return after.value(metric, **labels) - before.value(metric, **labels)

    route = {"dialect": "openai", "route": "/v1/threads/{thread_id}", "method": "GET"}
    assert more(REQUESTS, **route, status="200") == more(REQUESTS, **route, status="404") == 1
    assert more(DURATION, **route) == 2
    assert after.value(DURATION, "_sum", **route) > 0
    assert more(REQUESTS, route="unknown") >= 1
    assert more(REQUESTS, method="other") == 1
    for label in ("dialect", "route", "method", "status"):
        values = after.labels(REQUESTS, label)
        assert not [value for value in values if thread["id"] in value or "such" in value or "PURGE" in value]


async def test_every_dialect_is_named_as_its_folder(world: World) -> None:
    assert world.gateway._server is not None
    served = world.gateway._server._server.config.app
    folders = {path.name for path in Path(http_entrypoint.__file__).parent.iterdir() if path.is_dir()}
    endpoints = {route.endpoint.__self__ for route in served.routes if hasattr(route.endpoint, "__self__")}
    named = {endpoint._meter._dialect for endpoint in endpoints if hasattr(endpoint, "_meter")}
    assert {"openai"} <= named <= folders


async def test_runs_in_the_queue_and_how_they_end(world: World) -> None:
    before = await world.scrape()
    assert before.value(QUEUE_AGE) == 0
    run = await world.run()
    await asyncio.sleep(0.05)
    queued = await world.scrape()
    assert queued.value(RUNS, status="queued") == 1
    assert queued.labels(RUNS, "status") == {
        "queued",
        "in_progress",
        "requires_action",
        "awaiting_tools",
        "cancelling",
    }
    assert 0.05 <= queued.value(QUEUE_AGE) < 20
    await world.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    ended = await world.until(lambda found: found.value(RUNS_ENDED, status="cancelled", reason="none") == 1)
    assert ended.value(RUNS, status="queued") == ended.value(QUEUE_AGE) == 0
    for kind in ("run.queued", "run.cancelled"):
        assert ended.value(RELAYED, type=f"threadworks.{kind}.v1", outcome="published") == 1


async def test_events_that_wait_and_events_that_never_go(world: World) -> None:
    before = await world.until(lambda found: found.value(OUTBOX_DEPTH) == 0)
    assert before.value(OUTBOX_AGE) == before.value(BACKLOG) == before.value(OUTBOX_REJECTED) == 0
    thread = await world.post("/threads")
    world.bus.says = AWAY
    await world.post(f"/threads/{thread['id']}/messages", role="user", content="one")
    waiting = await world.until(lambda found: found.value(RELAYED, outcome="retried") >= 1)
    assert waiting.value(OUTBOX_DEPTH) == waiting.value(BACKLOG) == 1
    assert 0 < waiting.value(OUTBOX_AGE) < 20
    world.bus.says = REFUSED
    refused = await world.until(lambda found: found.value(OUTBOX_REJECTED) == 1)
    assert refused.value(RELAYED, type="threadworks.message.created.v1", outcome="rejected") == 1
    world.bus.says = None
    after = await world.until(lambda found: found.value(BACKLOG) == 0)
    assert after.value(OUTBOX_DEPTH) == after.value(OUTBOX_AGE) == 0


async def test_open_streams_and_waits(world: World) -> None:
    run = await world.run()
    assert (await world.scrape()).value(STREAMS) == 0
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    async with world.http.stream("GET", f"{path}/events") as stream:
        assert stream.status_code == 200
        await world.until(lambda found: found.value(STREAMS) == 1)
    await world.until(lambda found: found.value(STREAMS) == 0)
    hub = world.gateway._hub
    assert hub is not None
    feed, listener = hub.listen(TENANT, run["id"], text=False)
    waiting = await world.scrape()
    assert (waiting.value(WAITS), waiting.value(STREAMS)) == (1, 0)
    hub.leave(feed, listener)
    assert (await world.scrape()).value(WAITS) == 0


async def test_subscribers_of_the_feed(world: World) -> None:
    assert (await world.scrape()).value(FEEDS) == 0
    async with world.http.stream("GET", "/events") as stream:
        assert stream.status_code == 200
        assert (await world.scrape()).value(FEEDS) == 1
    await world.until(lambda found: found.value(FEEDS) == 0)


async def test_connections_of_the_pool(world: World) -> None:
    before = await world.scrape()
    assert before.value(CONNECTIONS_LIMIT) == 10
    async with world.database.unit_of_work():
        held = await world.scrape()
    assert held.value(CONNECTIONS, state="busy") == before.value(CONNECTIONS, state="busy") + 1
    assert before.value(CONNECTIONS, state="idle") >= 1


async def test_a_database_that_is_away_takes_its_own_figures_with_it_and_no_others(world: World) -> None:
    class Gone(Exception):
        pass

    async def away(*_: Any, **__: Any) -> Any:
        raise Gone

    real, world.database.row = world.database.row, away  # type: ignore[method-assign]
    try:
        found = await world.scrape()
    finally:
        world.database.row = real  # type: ignore[method-assign]
    assert not [line for line in found.text.splitlines() if line.startswith(f"{QUEUE_AGE.name} ")]
    assert found.value(REQUESTS) > 0


async def test_the_event_loop(world: World) -> None:
    heartbeat = Heartbeat(world.meters, pause=lambda _: asyncio.sleep(0))
    heartbeat.start()
    await world.until(lambda found: found.value(LOOP_LAG) > 0)
    await heartbeat.stop()
