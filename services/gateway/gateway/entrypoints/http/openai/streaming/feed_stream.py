"""The stream of the event feed: what a subscriber is told as server-sent events. Made by `operations.events`."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from traceback import extract_tb
from types import TracebackType
from typing import Any, Final

import structlog

from gateway.application.event_feed.feed import EventFeed
from gateway.application.event_feed.interests import Interest
from gateway.application.event_feed.reading import Reading, Told, TooSlow
from gateway.entrypoints.http.openai.refusals import Refusal, refusal_of
from gateway.entrypoints.http.openai.streaming.event_writer import KEEPALIVE, one_line

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS: Final = 15.0
"""Between two signs of life while nothing happens."""
KEY_SECONDS: Final = 60.0
"""Between two looks at whether the key is still good: a stream may last for weeks."""
PLACE_BEATS: Final = 20
"""Heartbeats between two places that are told without an event: what a quiet subscriber comes back with must not grow
older than what is kept. At fixed times, or they would tell when something happens to others."""
_LARGEST: Final = 256 * 1024
"""Bytes that are written at once, if one event is not larger."""
_GAP: Final = (
    b'event: gap\ndata: {"message":"Events before this one are not kept any more. Read the state of what you follow '
    b'over the API."}\n'
)


class FeedStream(AsyncGenerator[bytes, None]):
    """Gives whole server-sent events. Close it also when nothing was taken: it holds a subscription from the start.

    `still_good` raises a `Refusal` when the subscriber's key is not good any more.
    """

    def __init__(
        self, feed: EventFeed, interest: Interest, reading: Reading, still_good: Callable[[], Awaitable[Any]]
    ) -> None:
        self._feed = feed
        self._interest = interest
        self._reading = reading
        self._still_good = still_good
        self._told = reading.told()
        self._next: asyncio.Task[list[Told]] | None = None
        self._ending: asyncio.Task[Any] | None = None
        self._left: deque[Told] = deque()
        self._clock = asyncio.get_running_loop().time
        self._beat_at = self._checked_at = self._clock()
        self._beats = 0
        self._placed = False
        self._over = False
        self._closed = False

    async def asend(self, _value: None) -> bytes:
        """Wait for what comes next. A failure is the last event."""
        if self._over:
            raise StopAsyncIteration
        try:
            while True:
                if self._clock() - self._checked_at >= KEY_SECONDS:
                    await self._check_key()
                if self._left or await self._wait():
                    if written := self._write():
                        self._beat_at = self._clock()
                        return written
                elif self._feed.ending.is_set():
                    # The subscriber goes on at another gateway, or at the next one here.
                    self._over = True
                    raise StopAsyncIteration
                else:
                    self._beat_at = self._clock()
                    return self._heartbeat()
        except StopAsyncIteration:
            raise
        except Exception as error:  # noqa: BLE001 - the reply has begun: whatever it is, the client is told in an event
            self._over = True
            return self._error(error)

    async def athrow(
        self, kind: Any, value: BaseException | object = None, traceback: TracebackType | None = None, /
    ) -> bytes:
        """End with an error that is thrown in."""
        await self.aclose()
        raise value if isinstance(value, BaseException) else kind

    async def aclose(self) -> None:
        """Let go of everything."""
        self._over = True
        if self._closed:
            return
        self._closed = True
        self._feed.unsubscribe(self._interest)
        waiting = [task for task in (self._next, self._ending) if task is not None]
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting)
        await self._told.aclose()

    async def _wait(self) -> bool:
        """Wait for something to tell, until the next heartbeat is due or the gateway stops. False: there is nothing."""
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._told))
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._feed.ending.wait())
        due = max(0.0, self._beat_at + HEARTBEAT_SECONDS - self._clock())
        await asyncio.wait({self._next, self._ending}, timeout=due, return_when=asyncio.FIRST_COMPLETED)
        if not self._next.done():
            return False
        told, self._next = self._next, None
        self._left.extend(told.result())
        return True

    def _write(self) -> bytes:
        """Take what is left, up to the largest piece; nothing where only a place was told, but for the first one."""
        pieces: list[bytes] = []
        size = 0
        while self._left and size < _LARGEST:
            told = self._left.popleft()
            if told.event is None and not told.lost and self._placed:
                continue
            self._placed = True
            piece = self._event(told)
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def _event(self, told: Told) -> bytes:
        identity = self._feed.places.seal(self._interest.tenant_id, told.place).encode()
        gap = _GAP + b"id: %b\n\n" % identity if told.lost else b""
        if told.event is None:
            return gap or b"id: %b\n\n" % identity
        return b"%bevent: %b\ndata: %b\nid: %b\n\n" % (gap, told.type.encode(), one_line(told.event), identity)

    def _heartbeat(self) -> bytes:
        self._beats += 1
        place = self._reading.place if self._beats % PLACE_BEATS == 0 and self._placed else None
        if place is None:
            return KEEPALIVE
        return KEEPALIVE + b"id: %b\n\n" % self._feed.places.seal(self._interest.tenant_id, place).encode()

    async def _check_key(self) -> None:
        self._checked_at = self._clock()
        try:
            await self._still_good()
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - while nobody can tell, the stream goes on
            log.info("a key could not be checked", action="key_not_checked", error=type(error).__name__)

    def _error(self, error: Exception) -> bytes:
        if isinstance(error, TooSlow):
            refusal = Refusal(
                429,
                "You do not read fast enough: more events wait for you than are kept for one stream. Connect again "
                "with the id of the last event that you have (Last-Event-ID), and go on from there.",
                code="subscriber_too_slow",
            )
        else:
            refusal = refusal_of(error, "GET", "")
        if refusal.status == 500:
            trace = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
            log.error("a stream of events failed", action="feed_failed", error=type(error).__name__, trace=trace)
        return b"event: error\ndata: %s\n\n" % refusal.reply().body
