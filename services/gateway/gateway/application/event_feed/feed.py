"""The feed of a gateway: lets subscribers in, and reads the bus while there are any. Built by `bootstrap`."""

import asyncio
from collections import Counter
from typing import Final

from gateway.application.event_feed.interests import Interest
from gateway.application.event_feed.live import LiveEvents
from gateway.application.event_feed.places import SealedPlaces
from gateway.application.event_feed.ports import OpenLog, Place
from gateway.application.event_feed.reading import Reading
from gateway.application.event_feed.turns import Turns

MOST_SUBSCRIBERS: Final = 1000
"""Subscribers of one process."""
MOST_OF_ONE_TENANT: Final = 250
"""Of these, of one tenant."""


class TooManySubscribers(Exception):
    """The tenant, or all together, have as many subscribers here as there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"there may be {most}")
        self.most = most


class FeedEnds(Exception):
    """The gateway stops: subscribers go on elsewhere."""


class EventFeed:
    """Subscribers of all tenants. `types` are those of all public events."""

    def __init__(self, open_log: OpenLog, places: SealedPlaces, types: frozenset[str]) -> None:
        self.places = places
        self.types = types
        self.ending = asyncio.Event()
        """The gateway is about to stop."""
        self._open_log = open_log
        self._turns = Turns()
        self._live: LiveEvents | None = None
        self._subscribers: Counter[str] = Counter()
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def subscribers(self) -> int:
        """How many there are."""
        return self._subscribers.total()

    def subscribe(self, interest: Interest, after: Place | None) -> Reading:
        """Let a subscriber in; `unsubscribe` when it has gone. `after` None: it hears what happens from now on.

        Raises `TooManySubscribers` and `FeedEnds`.
        """
        if self.ending.is_set():
            raise FeedEnds
        if self._subscribers[interest.tenant_id] >= MOST_OF_ONE_TENANT:
            raise TooManySubscribers(MOST_OF_ONE_TENANT)
        if self.subscribers >= MOST_SUBSCRIBERS:
            raise TooManySubscribers(MOST_SUBSCRIBERS)
        self._subscribers[interest.tenant_id] += 1
        if self._live is None:
            self._live = LiveEvents(self._open_log)
        return Reading(interest, after, self._live, self._open_log, self._turns)

    def unsubscribe(self, interest: Interest) -> None:
        """A subscriber has gone."""
        self._subscribers[interest.tenant_id] -= 1
        if not self._subscribers[interest.tenant_id]:
            del self._subscribers[interest.tenant_id]
        if not self._subscribers and self._live is not None:
            # Nobody listens: reading all events of all tenants would be work for nothing.
            live, self._live = self._live, None
            stopping = asyncio.create_task(live.stop())
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    def end(self) -> None:
        """End all streams and let nobody in any more."""
        self.ending.set()

    async def stop(self) -> None:
        """Stop reading."""
        self.end()
        if self._live is not None:
            await self._live.stop()
        if self._stopping:
            await asyncio.wait(self._stopping)
