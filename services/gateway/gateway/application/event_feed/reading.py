"""One subscriber's reading: from where it was to what happens now, without a gap and without a repetition.

Whoever is behind has a reader of their own, which is as slow as they are. When it comes near to the live reader, they
are handed what that one reads as well; what both have is told once; and when their own reader has come to where the
live one was at that moment, it is closed.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Final, NamedTuple

from gateway.application.event_feed.interests import Interest
from gateway.application.event_feed.live import Heard, LiveEvents, Subscriber
from gateway.application.event_feed.ports import Batch, OpenLog, Place, Position
from gateway.application.event_feed.turns import Turns

NEAR: Final = 500
"""Events that the own reader may be behind for live ones to be kept back for it: a part of what may wait for one."""


class TooSlow(Exception):
    """A subscriber did not take what there was for it."""


class Told(NamedTuple):
    """Something to tell a subscriber."""

    place: Place
    """Behind it: who comes back to this misses nothing and hears nothing twice."""
    event: bytes | None = None
    """A whole CloudEvent as JSON; None: nothing that was asked for has happened, but the place is another one."""
    type: str = ""
    lost: bool = False
    """Events that were asked for are not kept any more."""


class Reading:
    """What one subscriber is told."""

    def __init__(
        self, interest: Interest, after: Place | None, live: LiveEvents, open_log: OpenLog, turns: Turns
    ) -> None:
        self._subscriber = Subscriber(interest)
        self._interest = interest
        self._after = after
        self._live = live
        self._open_log = open_log
        self._turns = turns
        self._place: Place | None = None
        self._up_to_date = False

    @property
    def place(self) -> Place | None:
        """Where the subscriber stands; None while something is on its way to it."""
        if self._subscriber.waits or self._place is None:
            return None
        return _later(self._place, self._live.place or {}) if self._up_to_date else dict(self._place)

    async def told(self) -> AsyncGenerator[list[Told], None]:
        """Give what there is, whenever there is something, for ever. The first says where the subscriber stands.

        Raises `TooSlow`.
        """
        try:
            if self._after is None:
                await self._live.standing()
                self._live.join(self._subscriber)
                self._place = dict(self._live.place or {})
                yield [Told(self._place)]
            else:
                async with self._turns.turn(self._interest.tenant_id), aclosing(self._catching_up(self._after)) as news:
                    async for piece in news:
                        yield piece
            self._up_to_date = True
            while True:
                heard = await self._subscriber.take()
                if self._subscriber.cut:
                    raise TooSlow
                if piece := list(self._news(heard)):
                    yield piece
        finally:
            self._live.leave(self._subscriber)

    async def _catching_up(self, after: Place) -> AsyncGenerator[list[Told], None]:
        reader = await self._open_log(after)
        joined_at: Place | None = None
        try:
            while joined_at is None or _behind(self._place or {}, joined_at):
                batch = await reader.read()
                piece = self._piece(batch)
                live = self._live.place
                if joined_at is None and live is not None and _behind(batch.place, live) <= NEAR:
                    self._live.join(self._subscriber)
                    joined_at = live
                yield piece
        finally:
            await reader.stop()

    def _piece(self, batch: Batch) -> list[Told]:
        place = batch.before
        piece = [Told(dict(place), lost=True)] if batch.lost else []
        for event in batch.events:
            place[event.position] = event.offset + 1
            if self._interest.takes(event) and (written := event.structured()) is not None:
                piece.append(Told(dict(place), written, event.type))
        self._place = place
        return piece or [Told(place)]

    def _news(self, heard: Iterable[Heard]) -> Iterable[Told]:
        for each in heard:
            event, place = each.event, self._place or {}
            if event is None:
                self._place = each.place
                yield Told(self._place, lost=True)
            elif event.offset >= place.get(event.position, 0):
                # The own reader may have been ahead of the live one in other partitions.
                self._place = _later(place, each.place)
                yield Told(self._place, event.structured(), event.type)


def _later(one: Place, other: Place) -> dict[Position, int]:
    return {position: max(at, one.get(position, 0)) for position, at in other.items()}


def _behind(place: Place, other: Place) -> int:
    """How many events one place is behind another one; those that it is ahead of it elsewhere do not count."""
    return sum(max(0, at - place.get(position, 0)) for position, at in other.items())
