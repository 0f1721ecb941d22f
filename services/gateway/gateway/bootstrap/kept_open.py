"""What a gateway keeps open besides its dialects: streams, the feed of events, and the way to the tool services."""

import asyncio
import time
from datetime import UTC, datetime

from event_bus import EventBus
from run_engine.lease import LEASE
from run_engine.process import EngineProcess
from run_engine.store import (
    feed_key,
    messages,
    runs,
    streams,
)

from gateway.adapters.delta_tail import tails_on
from gateway.adapters.event_log import logs_on, public_topics
from gateway.adapters.tool_bus import ToolServicesOnBus
from gateway.application.event_feed.feed import EventFeed
from gateway.application.event_feed.places import SealedPlaces
from gateway.application.streams.hub import Hub
from gateway.application.streams.replay import Replay
from gateway.settings import GatewaySettings


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


def event_feed(engine: EngineProcess, bus: EventBus) -> EventFeed:
    """Return the feed of public events, which reads the bus while somebody listens."""
    public = public_topics()
    places = SealedPlaces(feed_key.FeedKey(engine.database), tuple(topic.name for topic in public))
    return EventFeed(logs_on(bus), places, frozenset(type_ for topic in public for type_ in topic.message_types))


def tool_services(bus: EventBus, settings: GatewaySettings) -> ToolServicesOnBus:
    """Return the way to the tool services. One for all: it follows what they announce."""
    return ToolServicesOnBus(bus, clock=lambda: datetime.now(UTC), trusted=settings.trusted_keys)
