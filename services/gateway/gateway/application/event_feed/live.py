"""What happens now, read once and handed to everybody who is up to date. Made by `feed` while somebody listens."""

import asyncio
from typing import Final

import structlog

from gateway.application.event_feed.interests import Interest
from gateway.application.event_feed.ports import Log, OpenLog, Place, Position, PublicEvent

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 2000
"""Events that wait for one subscriber. Whoever is further behind is cut off, and comes back to where it was: then it is
read for at its own pace, and nothing is held for it."""
MOST_BYTES: Final = 16 * 1024 * 1024
"""The same in bytes: an event may have 64 KiB of text."""
_AGAIN_SECONDS: Final = 1.0


class Heard:
    """An event, or with none the news that events are gone; and the place behind it."""

    __slots__ = ("_offsets", "_order", "event")

    def __init__(self, event: PublicEvent | None, order: tuple[Position, ...], offsets: tuple[int, ...]) -> None:
        self.event = event
        self._order = order
        self._offsets = offsets

    @property
    def place(self) -> dict[Position, int]:
        """The place behind it."""
        return dict(zip(self._order, self._offsets, strict=True))


class Subscriber:
    """What waits for one subscriber."""

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.cut = False
        """It was too slow: what waited for it was dropped."""
        self._waiting: list[Heard] = []
        self._bytes = 0
        self._news = asyncio.Event()

    @property
    def waits(self) -> bool:
        """Whether something waits for it."""
        return bool(self._waiting) or self.cut

    def hear(self, heard: Heard, size: int) -> None:
        """Have something wait for it."""
        if self.cut:
            return
        self._waiting.append(heard)
        self._bytes += size
        if len(self._waiting) > MOST_WAITING or self._bytes > MOST_BYTES:
            self.cut = True
            self._waiting.clear()
        self._news.set()

    async def take(self) -> list[Heard]:
        """Return all that waits, once there is something; nothing where it was cut off."""
        await self._news.wait()
        self._news.clear()
        taken, self._waiting, self._bytes = self._waiting, [], 0
        return taken


class LiveEvents:
    """One reader, from the end on, for many subscribers."""

    def __init__(self, open_log: OpenLog) -> None:
        self._open_log = open_log
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._order: tuple[Position, ...] = ()
        self._offsets: list[int] = []
        self._index: dict[Position, int] = {}
        self._standing = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="event-feed")

    @property
    def place(self) -> Place | None:
        """Behind what was handed out last; None until the reader stands."""
        return dict(zip(self._order, self._offsets, strict=True)) if self._standing.is_set() else None

    async def standing(self) -> None:
        """Return once the reader stands. Waits while the bus is away."""
        await self._standing.wait()

    def join(self, subscriber: Subscriber) -> None:
        """Hand everything behind `place` to it, too."""
        self._subscribers.setdefault(subscriber.interest.tenant_id, set()).add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Hand it nothing more."""
        of_tenant = self._subscribers.get(subscriber.interest.tenant_id, set())
        of_tenant.discard(subscriber)
        if not of_tenant:
            self._subscribers.pop(subscriber.interest.tenant_id, None)

    async def stop(self) -> None:
        """Stop reading."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        at: Place | None = None
        while True:
            reader = await self._open_log(at)
            try:
                await self._read(reader)
            except Exception as error:  # noqa: BLE001 - or all subscribers would wait for ever
                log.error("reading events failed", action="event_feed_failed", error=type(error).__name__)
            finally:
                await reader.stop()
            at = self.place
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _read(self, reader: Log) -> None:
        while True:
            batch = await reader.read()
            before = batch.before
            self._order = tuple(sorted(before))
            index = {position: number for number, position in enumerate(self._order)}
            self._offsets = [before[position] for position in self._order]
            if batch.lost:
                self._tell_lost()
            for event in batch.events:
                self._offsets[index[event.position]] = event.offset + 1
                self._tell(event)
            self._standing.set()
            # Batches that are there already must not keep the loop from everything else.
            await asyncio.sleep(0)

    def _tell(self, event: PublicEvent) -> None:
        takers = [each for each in self._subscribers.get(event.tenant or "", ()) if each.interest.takes(event)]
        if not takers:
            return
        written = event.structured()
        if written is None:
            return
        heard = Heard(event, self._order, tuple(self._offsets))
        for subscriber in takers:
            subscriber.hear(heard, len(written))

    def _tell_lost(self) -> None:
        heard = Heard(None, self._order, tuple(self._offsets))
        for of_tenant in self._subscribers.values():
            for subscriber in of_tenant:
                subscriber.hear(heard, 0)
