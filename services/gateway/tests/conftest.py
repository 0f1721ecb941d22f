"""A gateway on a real PostgreSQL, without a socket; each test calls it as a tenant of its own.

Every reply that passes a `Caller` is held to the field facts of the API, and to the document that the gateway serves.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from conformance.field_facts import FieldFacts
from conformance.served_document import ServedDocument
from cryptography.fernet import Fernet
from engine_world import Worker
from entities_caller import EntitiesCaller
from event_bus.in_process import InProcessBus
from file_store import FileStore, open_file_store
from gateway.application.event_feed.feed import EventFeed
from gateway.application.streams.hub import Hub
from gateway.bootstrap import event_feed, stream_hub, surfaces, tool_calls, tool_services, use_cases
from gateway.entrypoints.http.app import Surface, build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.owlie.encrypted_ids import EncryptedIds
from gateway.settings import GatewaySettings
from owlie_front_end import FrontEnd
from pydantic import SecretStr
from run_engine.process import EngineProcess
from run_engine.store.database import Database
from run_engine.store.migrate import migrate
from run_engine.store.tenants import Tenants
from starlette.types import ASGIApp
from streaming_caller import Streaming
from version_1_world import Version1

# Not the outbox: the relay empties it meanwhile. Whatever writes there writes into one of these as well.
_TABLES = ("assistants", "threads", "messages", "runs", "run_steps", "tool_calls", "run_events")


class Caller:
    """A tenant, its key, and its way to the gateway."""

    def __init__(
        self, app: ASGIApp, database: Database, url: str, facts: FieldFacts, described: ServedDocument
    ) -> None:
        self.tenant = f"tenant-{uuid.uuid4()}"
        self.key = f"sk-test-{uuid.uuid4().hex}"
        self.database = database
        self.worker = Worker(database, f"orchestrator-{self.tenant}")
        self.described = described
        self._url = url
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway/v1",
            headers={"authorization": f"Bearer {self.key}", "openai-beta": "assistants=v2"},
            event_hooks={"response": [facts.sees_async, described.sees_async]},
        )

    async def register(self) -> None:
        tenants = Tenants(self.database)
        await tenants.ensure(self.tenant, "a tenant", ["moodle"])
        await tenants.add_key(f"key-{self.tenant}", self.tenant, self.key, "for tests", ["all"])
        await self.worker.liveness.register()

    async def get(self, path: str, **query: Any) -> Any:
        return self._succeeded(await self.http.get(path, params=query))

    async def post(self, path: str, body: Any = None) -> Any:
        return self._succeeded(await self.http.post(path, json={} if body is None else body))

    async def delete(self, path: str) -> Any:
        return self._succeeded(await self.http.delete(path))

    async def refused(self, method: str, path: str, status: int = 400, **request: Any) -> Any:
        """The error object of a request that has to be refused with `status`."""
        response = await self.http.request(method, path, **request)
        assert response.status_code == status, response.text
        return response.json()["error"]

    @staticmethod
    def _succeeded(response: httpx.Response) -> Any:
        assert response.status_code == 200, response.text
        return response.json()

    async def assistant(self, **fields: Any) -> str:
        return str((await self.post("/assistants", {"model": "demo", **fields}))["id"])

    async def thread(self, *texts: str) -> str:
        messages = [{"role": "user", "content": text} for text in texts]
        return str((await self.post("/threads", {"messages": messages}))["id"])

    async def run(self, **fields: Any) -> Any:
        """A queued run on a new thread."""
        body = {"assistant_id": await self.assistant(), "thread": {"messages": [{"role": "user", "content": "hello"}]}}
        return await self.post("/threads/runs", body | fields)

    async def rows(self) -> dict[str, int]:
        """How many rows of each table are this tenant's."""
        return {table: await self.count(table) for table in _TABLES}

    async def count(self, table: str) -> int:
        connection = await asyncpg.connect(self._url)
        try:
            return int(await connection.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", self.tenant))
        finally:
            await connection.close()


NewCaller = Callable[[], Awaitable[Caller]]


@pytest.fixture(scope="session")
def all_facts() -> FieldFacts:
    return FieldFacts()


@pytest.fixture
def facts(all_facts: FieldFacts) -> Iterator[FieldFacts]:
    """The field facts; what a test's replies did against them fails it."""
    all_facts.problems.clear()
    yield all_facts
    assert all_facts.problems == []


@pytest_asyncio.fixture(scope="session")
async def served(app: ASGIApp) -> ServedDocument:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as stranger:
        return ServedDocument((await stranger.get("/openapi.json")).json())


@pytest.fixture
def described(served: ServedDocument) -> Iterator[ServedDocument]:
    """The document of what is served; a reply that is not as it says fails the test."""
    served.problems.clear()
    yield served
    assert served.problems == []


@pytest_asyncio.fixture(scope="session")
async def migrated_url(fresh_database: Callable[[], Awaitable[str]]) -> str:
    url = await fresh_database()
    await migrate(url)
    return url


@pytest_asyncio.fixture(scope="session")
async def bus() -> AsyncIterator[InProcessBus]:
    bus = InProcessBus()
    await bus.start()
    yield bus
    await bus.stop()


@pytest_asyncio.fixture(scope="session")
async def engine(migrated_url: str, bus: InProcessBus) -> AsyncIterator[EngineProcess]:
    database = await Database.connect(migrated_url, application_name="gateway-tests", max_size=12)
    process = EngineProcess(database, bus.publisher, role="gateway")
    await process.start()
    yield process
    await process.stop()


@pytest_asyncio.fixture(scope="session")
async def hub(engine: EngineProcess, bus: InProcessBus) -> AsyncIterator[Hub]:
    """What keeps streams going, on a slot of its own."""
    hub = stream_hub(engine, bus)
    hub.start()
    async with asyncio.timeout(10):
        while hub.slot is None:
            await asyncio.sleep(0.01)
    yield hub
    await hub.stop()


@pytest_asyncio.fixture(scope="session")
async def feed(engine: EngineProcess, bus: InProcessBus) -> AsyncIterator[EventFeed]:
    """The feed of public events, on the same bus."""
    feed = event_feed(engine, bus)
    yield feed
    await feed.stop()


@pytest.fixture(scope="session")
def settings(migrated_url: str, tmp_path_factory: pytest.TempPathFactory) -> GatewaySettings:
    return GatewaySettings(
        database_url=SecretStr(migrated_url),
        port=0,
        data_dir=tmp_path_factory.mktemp("data"),
        largest_body=1024 * 1024,
        largest_file=20 * 1024 * 1024,
    )


@pytest.fixture(scope="session")
def stored(settings: GatewaySettings) -> FileStore:
    """The bytes of files, where the gateway has them."""
    return open_file_store(None, settings.data_dir)


@pytest.fixture(scope="session")
def app(engine: EngineProcess, settings: GatewaySettings, stored: FileStore, hub: Hub, feed: EventFeed) -> ASGIApp:
    dialects = surfaces(use_cases(engine, settings, stored, hub), settings, feed=feed)
    return build_app(dialects, largest_body=settings.largest_body, draining=Draining())


@pytest_asyncio.fixture
async def new_caller(
    app: ASGIApp, engine: EngineProcess, migrated_url: str, facts: FieldFacts, described: ServedDocument
) -> AsyncIterator[NewCaller]:
    made: list[Caller] = []

    async def make() -> Caller:
        caller = Caller(app, engine.database, migrated_url, facts, described)
        await caller.register()
        made.append(caller)
        return caller

    yield make
    for caller in made:
        await caller.http.aclose()


@pytest_asyncio.fixture
async def caller(new_caller: NewCaller) -> Caller:
    return await new_caller()


@pytest_asyncio.fixture
async def ruby(app: ASGIApp, caller: Caller) -> AsyncIterator[Version1]:
    """The same tenant as a caller of version 1."""
    world = Version1(app, caller)
    yield world
    await world.http.aclose()


@pytest_asyncio.fixture
async def entities(app: ASGIApp, caller: Caller) -> AsyncIterator[EntitiesCaller]:
    """The same tenant as `caller`, on `/entities/v1`."""
    async with EntitiesCaller(app, caller) as entities:
        yield entities


@pytest_asyncio.fixture
async def streaming(
    caller: Any, app: ASGIApp, bus: InProcessBus, hub: Hub, facts: FieldFacts
) -> AsyncIterator[Streaming]:
    streaming = Streaming(caller, app, bus, hub, facts)
    yield streaming
    for stream in streaming.streams:
        stream.leave()
        await asyncio.wait_for(stream.task, 10)


class Owlie(FrontEnd):
    """The Owlie dialect over the things of one caller, as `settings` have it."""

    def __init__(self, dialects: list[Surface], settings: GatewaySettings, address: str) -> None:
        app = build_app(
            dialects,
            largest_body=settings.largest_body,
            draining=Draining(),
            cors_origins=settings.cors_origin_list,
        )
        transport = httpx.ASGITransport(app, client=(address, 1))
        super().__init__(httpx.AsyncClient(transport=transport, base_url="http://gateway"))
        self.app = app
        self.surfaces = dialects
        self.settings = settings
        # Without keys there is no such dialect, and nobody reads what this makes.
        self.ids = EncryptedIds(settings.owlie_key_list or [Fernet.generate_key().decode()])


NewOwlie = Callable[..., Owlie]


@pytest_asyncio.fixture
async def new_owlie(
    caller: Caller,
    engine: EngineProcess,
    settings: GatewaySettings,
    stored: FileStore,
    hub: Hub,
    bus: InProcessBus,
) -> AsyncIterator[NewOwlie]:
    """Makes front ends on gateways of their own, which have one key unless they are told otherwise."""
    made: list[Owlie] = []
    key = Fernet.generate_key().decode()

    def make(*, address: str = "192.0.2.1", **changes: Any) -> Owlie:
        changed = settings.model_copy(update={"owlie_keys": SecretStr(key), "owlie_tenant": caller.tenant, **changes})
        services = tool_services(bus, changed)
        cases = use_cases(engine, changed, stored, hub, services)
        dialects = surfaces(cases, changed, tool_calls(engine, changed, services, cases))
        made.append(Owlie(dialects, changed, address))
        return made[-1]

    yield make
    for each in made:
        await each.http.aclose()


@pytest.fixture
def owlie(new_owlie: NewOwlie) -> Owlie:
    return new_owlie()
