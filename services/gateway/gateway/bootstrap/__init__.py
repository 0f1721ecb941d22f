"""The composition root: the only package that knows settings, stores and entry points at once.

`__main__` builds the gateway on Kafka with it, `threadworks run` on the in-process bus.
"""

from event_bus import EventBus
from file_store import open_file_store
from observability import Meters, register_secret
from run_engine.process import EngineProcess
from run_engine.store import files
from run_engine.store.opening import open_database

from gateway.adapters.metrics import RequestMeter, show_listeners, show_subscribers
from gateway.application.event_feed.feed import EventFeed
from gateway.application.file_sweeping import FileSweeping
from gateway.application.streams.hub import Hub
from gateway.bootstrap.cases import tool_calls, use_cases
from gateway.bootstrap.dialects import prepare_courses, surfaces
from gateway.bootstrap.kept_open import event_feed, stream_hub, tool_services
from gateway.entrypoints.http.app import build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.openai.refusals import HEAD_TOO_LARGE, MALFORMED
from gateway.entrypoints.http.server import HttpServer
from gateway.entrypoints.service import Gateway
from gateway.settings import GatewaySettings

__all__ = [
    "build",
    "event_feed",
    "prepare_courses",
    "stream_hub",
    "surfaces",
    "tool_calls",
    "tool_services",
    "use_cases",
]


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
        dialects = surfaces(cases, settings, tool_calls(engine, settings, services, cases), feed)
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
