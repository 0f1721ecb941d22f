"""The composition root: the only module that knows settings, stores and entry points at once.

`__main__` builds the gateway on Kafka with it, `threadworks run` on the in-process bus.
"""

import asyncio
import time
from datetime import UTC, datetime

from event_bus import EventBus
from file_store import FileStore, open_file_store
from observability import Meters, register_secret
from run_engine.lease import LEASE
from run_engine.process import EngineProcess
from run_engine.store import (
    aliases,
    assistant_files,
    assistants,
    conversations,
    credentials,
    exports,
    feed_key,
    files,
    imports,
    messages,
    overviews,
    runs,
    streams,
    tenants,
    threads,
    tools,
    users,
)
from run_engine.store.idempotency import IdempotencyKeys
from run_engine.store.opening import open_database

from gateway.adapters.delta_tail import tails_on
from gateway.adapters.event_log import logs_on, public_topics
from gateway.adapters.metrics import RequestMeter, show_listeners, show_subscribers
from gateway.adapters.model_server import OpenAIModelServer
from gateway.adapters.sealing import seal
from gateway.adapters.tool_bus import ToolServicesOnBus
from gateway.application.answering import Answering
from gateway.application.attached_files import AttachedFiles
from gateway.application.authentication import Authentication
from gateway.application.course_assistants import make_missing
from gateway.application.credentials import Credentials, NoKeys
from gateway.application.event_feed.feed import EventFeed
from gateway.application.event_feed.places import SealedPlaces
from gateway.application.exchanges import Exchanges
from gateway.application.file_sweeping import FileSweeping
from gateway.application.files import Files
from gateway.application.idempotency import Idempotency
from gateway.application.identities import NewIds
from gateway.application.messages import Messages
from gateway.application.models import Models
from gateway.application.runs import Runs
from gateway.application.streams.hub import Hub
from gateway.application.streams.readings import Readings
from gateway.application.streams.replay import Replay
from gateway.application.threads import Threads
from gateway.application.tool_calls import ToolCalls
from gateway.application.use_cases import UseCases
from gateway.application.waiting import Waiting
from gateway.entrypoints.http.agents.surface import agents_surface
from gateway.entrypoints.http.app import Surface, build_app
from gateway.entrypoints.http.client_address import ClientAddresses
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.entities.surface import entities_surface
from gateway.entrypoints.http.openai.document.surface import described
from gateway.entrypoints.http.openai.event_feed import event_feed_surface
from gateway.entrypoints.http.openai.refusals import HEAD_TOO_LARGE, MALFORMED
from gateway.entrypoints.http.openai.surface import openai_surface
from gateway.entrypoints.http.openai.transfer import transfer_surface
from gateway.entrypoints.http.owlie.surface import owlie_surface
from gateway.entrypoints.http.request_limit import RequestLimit
from gateway.entrypoints.http.server import HttpServer
from gateway.entrypoints.service import Gateway
from gateway.settings import GatewaySettings


def build(settings: GatewaySettings, bus: EventBus, meters: Meters | None = None) -> Gateway:
    """Return the service, to be started on a started bus; it counts in `meters`. Raises OSError.

    Call it inside the event loop.
    """
    meters = Meters() if meters is None else meters
    requests = RequestMeter(meters)
    stored = open_file_store(settings.files_url, settings.data_dir)
    if settings.openai_api_key is not None:
        register_secret(settings.openai_api_key.get_secret_value())
    for key in settings.owlie_key_list:
        register_secret(key)

    async def open_engine() -> EngineProcess:
        url = settings.database_url.get_secret_value()
        database = await open_database(
            url, application_name="threadworks-gateway", connections=settings.database_connections
        )
        return EngineProcess(
            database,
            bus.publisher,
            role="gateway",
            event_content=settings.event_content,
            stream_publisher=bus.stream_publisher,
            meters=meters,
        )

    def make_feed(engine: EngineProcess) -> EventFeed:
        feed = event_feed(engine, bus)
        show_subscribers(meters, lambda: feed.subscribers)
        return feed

    def make_server(engine: EngineProcess, hub: Hub, feed: EventFeed) -> HttpServer:
        draining = Draining()
        services = tool_services(bus, settings)
        cases = use_cases(engine, settings, stored, hub, services)
        dialects = surfaces(cases, settings, tool_calls(engine, settings, services), feed)
        return HttpServer(
            build_app(
                dialects,
                largest_body=settings.largest_body,
                draining=draining,
                meter_of=requests.of,
                cors_origins=settings.cors_origin_list,
            ),
            host=settings.host,
            port=settings.port,
            listen_fd=settings.listen_fd,
            draining=draining,
            malformed=MALFORMED,
            head_too_large=HEAD_TOO_LARGE,
            sockets=any(surface.sockets for surface in dialects),
        )

    def make_hub(engine: EngineProcess) -> Hub:
        hub = stream_hub(engine, bus)
        show_listeners(meters, streams=lambda: hub.listening(text=True), waits=lambda: hub.listening(text=False))
        return hub

    def make_sweeping(engine: EngineProcess) -> FileSweeping:
        return FileSweeping(files.Files(engine.database), stored)

    async def prepare(engine: EngineProcess) -> None:
        await prepare_courses(engine, settings)

    return Gateway(
        open_engine=open_engine,
        make_hub=make_hub,
        make_feed=make_feed,
        make_server=make_server,
        make_sweeping=make_sweeping,
        prepare=prepare,
    )


async def prepare_courses(engine: EngineProcess, settings: GatewaySettings) -> None:
    """Make the assistants of the course catalogue that are missing. Raises `CatalogueUnusable` and ValueError."""
    tenant_id = settings.owlie_tenant
    if not settings.owlie_key_list or tenant_id is None:
        return
    if await tenants.Tenants(engine.database).get(tenant_id) is None:
        raise ValueError(f"there is no tenant '{tenant_id}', which THREADWORKS_OWLIE_TENANT names")
    if settings.owlie_catalogue is not None:
        await make_missing(assistants.Assistants(engine.database), tenant_id, settings.owlie_catalogue)


def stream_hub(engine: EngineProcess, bus: EventBus) -> Hub:
    """Return what keeps streams going, on the stores of the engine and on a slot of the bus."""
    database, writer = engine.database, engine.writer
    run_store = runs.Runs(database, writer)
    return Hub(
        streams.Streams(database),
        streams.Slots(database, engine.worker, LEASE),
        tails_on(bus),
        run_store,
        Replay(run_store, messages.Messages(database, writer)),
        clock=time.monotonic,
        pause=asyncio.sleep,
    )


def tool_services(bus: EventBus, settings: GatewaySettings) -> ToolServicesOnBus:
    """Return the way to the tool services. One for all: it follows what they announce."""
    return ToolServicesOnBus(bus, clock=lambda: datetime.now(UTC), trusted=settings.trusted_keys)


def credential_cases(
    engine: EngineProcess, settings: GatewaySettings, services: ToolServicesOnBus | None
) -> Credentials:
    """Return what takes users' credentials for tool services."""
    return Credentials(
        NoKeys() if services is None else services,
        seal,
        credentials.SealedCredentials(engine.database),
        tenants=tenants.Tenants(engine.database),
        pinned=settings.tool_service_names,
        unit=engine.database.unit_of_work,
    )


def use_cases(
    engine: EngineProcess,
    settings: GatewaySettings,
    stored: FileStore,
    hub: Hub,
    services: ToolServicesOnBus | None = None,
) -> UseCases:
    """Return what the dialects call, on the stores of the engine. Without `services` no credentials are taken."""
    database, writer = engine.database, engine.writer
    takers = credential_cases(engine, settings, services)
    thread_store = Threads(threads.Threads(database, writer), takers)
    file_rows = files.Files(database)
    key = settings.openai_api_key
    server = None if key is None else OpenAIModelServer(base_url=str(settings.openai_base_url), api_key=key)
    assistant_store, overview_store = assistants.Assistants(database), overviews.Overviews(database)
    conversation_store = conversations.Conversations(database)
    run_cases = Runs(runs.Runs(database, writer), thread_store, takers)
    message_cases = Messages(messages.Messages(database, writer), thread_store, takers)
    answering = Answering(thread_store, run_cases, message_cases, assistant_store, overview_store)
    return UseCases(
        authentication=Authentication(tenants.Tenants(database)),
        credentials=takers,
        assistants=assistant_store,
        assistant_files=assistant_files.AssistantFiles(database),
        threads=thread_store,
        messages=message_cases,
        runs=run_cases,
        readings=Readings(hub, run_cases),
        waiting=Waiting(hub, run_cases),
        answering=answering,
        exchanges=Exchanges(conversation_store, message_cases, run_cases, thread_store),
        overviews=overview_store,
        files=Files(file_rows, stored),
        attached_files=AttachedFiles(file_rows),
        models=Models(server),
        users=users.Users(database),
        tools=tools.Tools(database),
        conversations=conversation_store,
        aliases=aliases.Aliases(database),
        imports=imports.Imports(database),
        exports=exports.Exports(database),
        idempotency=Idempotency(IdempotencyKeys(database)),
        new_ids=NewIds(),
    )


def tool_calls(engine: EngineProcess, settings: GatewaySettings, services: ToolServicesOnBus) -> ToolCalls:
    """Return what asks tool services outside of runs."""
    return ToolCalls(
        services,
        tenants.Tenants(engine.database),
        settings.tool_service_names,
        credential_cases(engine, settings, services),
    )


def event_feed(engine: EngineProcess, bus: EventBus) -> EventFeed:
    """Return the feed of public events, which reads the bus while somebody listens."""
    public = public_topics()
    places = SealedPlaces(feed_key.FeedKey(engine.database), tuple(topic.name for topic in public))
    return EventFeed(logs_on(bus), places, frozenset(type_ for topic in public for type_ in topic.message_types))


def surfaces(
    cases: UseCases, settings: GatewaySettings, tool_calls: ToolCalls | None = None, feed: EventFeed | None = None
) -> list[Surface]:
    """Return the dialects. Tests serve them without a socket, and where they follow no events without the feed."""
    feeds = [] if feed is None else [event_feed_surface(cases.authentication, feed)]
    return [
        *described([openai_surface(cases, settings), transfer_surface(cases), *feeds]),
        entities_surface(cases),
        agents_surface(cases, settings),
        *owlie_surfaces(cases, settings, tool_calls),
    ]


def owlie_surfaces(cases: UseCases, settings: GatewaySettings, tool_calls: ToolCalls | None) -> list[Surface]:
    """Return the Owlie dialect, which is off without keys."""
    if not settings.owlie_key_list or settings.owlie_tenant is None:
        return []
    most, admission = settings.owlie_requests_per_minute, None
    if most:
        admission = RequestLimit(ClientAddresses(settings.trusted_proxy_list), most, time.monotonic)
    return [owlie_surface(cases, settings, settings.owlie_tenant, admission, tool_calls)]
