"""The gateway as a service: what it starts and in which order it stops. Built by `bootstrap`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from run_engine.process import EngineProcess

from gateway.application.event_feed.feed import EventFeed
from gateway.application.file_sweeping import FileSweeping
from gateway.application.streams.hub import Hub
from gateway.entrypoints.http.server import FAREWELL_SECONDS, FINISH_SECONDS, HttpServer

log = structlog.get_logger(__name__)

STOP_SECONDS: Final = 15.0
"""For everything after the drain: publishing what is pending, ending the lease, closing the pool."""
HUB_SECONDS: Final = 3.0
"""Of these, for giving back the slot of the streams. One that is not given back is free when the lease has ended."""
FEED_SECONDS: Final = 2.0
"""Of these, for closing what reads events: it holds nothing that anybody would miss."""
GIVING_UP_SECONDS: Final = 2.0
"""So long before the end of the drain the streams that are left are ended."""
DRAIN_SECONDS: Final = FAREWELL_SECONDS + FINISH_SECONDS
"""The longest that the HTTP server takes to stop."""


class Gateway:
    """Serves from `start()`, on a started bus, to `stop()`. Made inside the event loop that it runs in.

    `open_engine` waits for the database; `make_hub` makes what keeps streams going on it, `make_feed` the feed of
    public events, `make_server` the HTTP server, `make_sweeping` what deletes bytes that are nobody's. `prepare` stores
    what has to be there before it listens.
    """

    def __init__(
        self,
        *,
        open_engine: Callable[[], Awaitable[EngineProcess]],
        make_hub: Callable[[EngineProcess], Hub],
        make_feed: Callable[[EngineProcess], EventFeed],
        make_server: Callable[[EngineProcess, Hub, EventFeed], HttpServer],
        make_sweeping: Callable[[EngineProcess], FileSweeping],
        prepare: Callable[[EngineProcess], Awaitable[None]],
    ) -> None:
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        """Resolves with the cause when the gateway has died for good."""
        self._open_engine = open_engine
        self._make_hub = make_hub
        self._make_feed = make_feed
        self._make_server = make_server
        self._make_sweeping = make_sweeping
        self._prepare = prepare
        self._engine: EngineProcess | None = None
        self._hub: Hub | None = None
        self._feed: EventFeed | None = None
        self._server: HttpServer | None = None
        self._sweeping: FileSweeping | None = None
        self._missing: str | None = "not started"

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before the start."""
        return self._server.port if self._server else 0

    async def start(self) -> None:
        """Wait for the database, then listen. Raises `SchemaUnsuitable`, and OSError for an address that is taken."""
        self._missing = "the database is not connected"
        self._engine = await self._open_engine()
        await self._engine.start()
        await self._prepare(self._engine)
        self._missing = "not listening"
        # The slot of the streams is leased by the liveness row of the engine, which is there now.
        self._hub = self._make_hub(self._engine)
        self._hub.start()
        self._feed = self._make_feed(self._engine)
        self._server = self._make_server(self._engine, self._hub, self._feed)
        serving = await self._server.start()
        serving.add_done_callback(self._served)
        self._sweeping = self._make_sweeping(self._engine)
        self._sweeping.start()
        self._missing = None
        log.info("listening", action="listening", port=self.port)

    async def stop(self) -> None:
        """Drain, publish what is pending, let go of everything. Safe to call twice, or when the start failed."""
        self._missing = "stopping"
        if self._server is not None:
            await self._drain(self._server)
        # Nobody listens to the hub any more.
        if self._hub is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(HUB_SECONDS):
                    await self._hub.stop()
        if self._feed is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(FEED_SECONDS):
                    await self._feed.stop()
        if self._sweeping is not None:
            await self._sweeping.stop()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            async with asyncio.timeout(STOP_SECONDS - HUB_SECONDS - FEED_SECONDS):
                await engine.stop()

    async def _drain(self, server: HttpServer) -> None:
        # The feed has no end of its own, so its subscribers are sent elsewhere at once.
        if self._feed is not None:
            self._feed.end()
        # Streams that are still there when the time is over get a word of farewell instead of a broken connection.
        hub = self._hub
        giving_up = None
        if hub is not None:
            giving_up = asyncio.get_running_loop().call_later(DRAIN_SECONDS - GIVING_UP_SECONDS, hub.give_up)
        await server.stop()
        if giving_up is not None:
            giving_up.cancel()

    def checks(self) -> dict[str, Callable[[], str | None]]:
        """Return the readiness check.

        It stays ready through an outage of the database or of Kafka: the gateway still answers (503) or accepts, and
        clients should get that and no closed port.
        """
        return {"gateway": lambda: self._missing}

    def _served(self, serving: asyncio.Task[None]) -> None:
        if not serving.cancelled() and self._missing is None and not self.failed.done():
            self._missing = "the HTTP server has ended"
            self.failed.set_result(serving.exception() or RuntimeError(self._missing))
