"""The hub of a gateway process: keeps the logs of the runs that are read here up to date, and wakes their readers.

Text and copies of events come from the slot. What the slot lacks, the database has: a gap is filled at once, and a run
that is silent is looked at every second, all of them with one statement. So without a slot, or without the bus, streams
go on all the same; only their text comes as a whole, at its end.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from run_engine.domain.objects import Run
from run_engine.domain.stream_slots import for_news
from run_engine.errors import DatabaseUnavailable, NotFound
from run_engine.store.streams import RunState, StoredEvent

from gateway.application.streams.feed import Feed, Listener
from gateway.application.streams.ports import EventStore, OpenTail, Pieces, SlotStore, StreamedRuns
from gateway.application.streams.replay import Replay, is_whole
from gateway.application.streams.slot_holder import SlotHolder

log = structlog.get_logger(__name__)

TICK: Final = 1.0
"""Seconds after which a silent run is looked at."""
VERIFY: Final = 5.0
"""Seconds after which a silent run is looked at whether it is still there, all of them with one statement."""
KEEPALIVE: Final = 15.0
"""Seconds after which a reader that was told nothing gets a sign of life."""
OUTAGE: Final = 60.0
"""Seconds without the database after which streams that hear nothing else are given up."""
RETENTION: Final = 600.0
"""Seconds that a run is kept up with after its last reader went, who may come back for the rest of a text: to a slot
that has heard it once, no worker sends it again. As long as runs live."""
MOST_KEPT: Final = 1_000
"""Runs without readers that are kept up with at once."""


class StreamsEnd(Exception):
    """The process stops, and has waited for the streams as long as it may. Their runs go on."""


class Hub:
    """Runs from `start()` to `stop()`. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        events: EventStore,
        slots: SlotStore,
        open_tail: OpenTail,
        runs: StreamedRuns,
        replay: Replay,
        *,
        clock: Callable[[], float],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._events = events
        self._runs = runs
        self._replay = replay
        self._clock = clock
        self._pause = pause
        self._feeds: dict[tuple[str, str], Feed] = {}
        # Those of them that nobody listens to. A dictionary serves as an ordered set: who was left first is first.
        self._left: dict[Feed, None] = {}
        self._holder = SlotHolder(slots, open_tail, hear=self.hear, changed=self._poke, pause=pause)
        self._poked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failing_since: float | None = None

    @property
    def slot(self) -> int | None:
        """The slot that text can be sent to now; None where there is none."""
        return self._holder.slot

    def number_for(self, *, text: bool) -> int | None:
        """Return what a run has to be told for its text, or for news of it alone, to be sent here now."""
        slot = self.slot
        return slot if text or slot is None else for_news(slot)

    def listening(self, *, text: bool) -> int:
        """Return how many read the text of runs now, or wait for news of them alone."""
        return sum(listener.text is text for feed in self._feeds.values() for listener in feed.listeners)

    def start(self) -> None:
        """Begin, without waiting for a slot."""
        self._holder.start()
        self._tasks = [
            asyncio.create_task(self._tick_forever(), name="stream-ticks"),
            asyncio.create_task(self._look_forever(), name="stream-looks"),
        ]

    async def stop(self) -> None:
        """Stop. There should be no readers any more; those that are get nothing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._holder.stop()

    def give_up(self) -> None:
        """End all streams that are left: their readers have to come back, elsewhere."""
        for feed in list(self._feeds.values()):
            if feed.listeners:
                self._fail(feed, StreamsEnd())

    def listen(self, tenant_id: str, run_id: str, *, text: bool = True) -> tuple[Feed, Listener]:
        """Begin to listen to a run: what is sent or found from now on is kept until `leave`.

        Without `text` only news are wanted: no text is sent here for it, and there are no signs of life.
        """
        now = self._clock()
        feed = self._feeds.get((tenant_id, run_id))
        if feed is None or feed.failure is not None:
            feed = self._feeds[tenant_id, run_id] = Feed(tenant_id, run_id, now)
        listener = Listener(now, text=text)
        self._left.pop(feed, None)
        feed.listeners.add(listener)
        feed.text = feed.text or text
        return feed, listener

    def leave(self, feed: Feed, listener: Listener) -> None:
        """Stop listening. Again changes nothing."""
        if listener not in feed.listeners:
            return
        feed.listeners.remove(listener)
        if not feed.listeners:
            feed.left = self._clock()
            unknown = feed.log.run is None and feed.slot is None
            if not feed.text or unknown or feed.log.ended or feed.failure is not None:
                self._forget(feed)
                return
            self._left[feed] = None
            if len(self._left) > MOST_KEPT:
                self._forget(next(iter(self._left)))

    def catch_up(self, feed: Feed, run: Run) -> None:
        """Have a run read, as it was found by somebody who listens to it, up to the events that it has."""
        if feed.log.run is None:
            feed.joined = run
        feed.log.promise(run.seq)
        if feed.joined is not None or feed.log.behind or feed.slot != self.number_for(text=feed.text):
            self._poke()

    def told(self, listener: Listener) -> None:
        """Note that a reader was told something."""
        listener.heard = self._clock()

    def hear(self, pieces: Pieces) -> None:
        """Take what a record of the slot holds."""
        now = self._clock()
        stirred: dict[Feed, None] = {}
        behind = False
        for piece in pieces:
            feed = self._feeds.get((piece["tenant_id"], piece["run_id"]))
            if feed is None:
                continue
            try:
                if feed.take(piece):
                    stirred[feed] = None
            except Exception as error:  # noqa: BLE001 - what the record has for other streams must not be lost
                self._break(feed, error)
            behind = behind or (feed.waits and feed.log.behind and feed.log.promised > feed.asked)
        for feed in stirred:
            feed.stirred = now
            feed.wake()
        if behind:
            self._poke()

    def tick(self) -> None:
        """See who was silent for too long."""
        now = self._clock()
        for feed in list(self._left):
            if now - feed.left >= RETENTION:
                self._forget(feed)
        for feed in self._feeds.values():
            for listener in feed.listeners:
                if listener.text and now - listener.heard >= KEEPALIVE:
                    listener.overdue = True
                    listener.wake()
            if feed.waits and self._is_due(feed, now):
                self._poke()

    async def look(self) -> None:
        """Ask the database for what is missing, of all runs at once."""
        now = self._clock()
        due = [feed for feed in self._feeds.values() if feed.waits and self._is_due(feed, now)]
        try:
            await self._point([feed for feed in self._feeds.values() if feed.waits])
            if due:
                await self._read(due, now)
        except DatabaseUnavailable:
            self._note_outage(now)
            return
        if self._failing_since is not None:
            log.info("streams can read the database again", action="streams_recovered")
            self._failing_since = None

    def _is_due(self, feed: Feed, now: float) -> bool:
        return feed.joined is not None or feed.log.behind or now - max(feed.stirred, feed.looked) >= TICK

    async def _point(self, feeds: Sequence[Feed]) -> None:
        """Have text and news of runs sent to our slot where they are not: they were joined, or the slot is another."""
        for text in (True, False):
            number = self.number_for(text=text)
            elsewhere = [feed for feed in feeds if feed.text is text and feed.slot != number]
            if number is None or not elsewhere:
                continue
            await self._events.add_slots(number, [feed.key for feed in elsewhere])
            for feed in elsewhere:
                feed.slot = number

    async def _read(self, due: Sequence[Feed], now: float) -> None:
        found: dict[tuple[str, str], list[StoredEvent]] = defaultdict(list)
        for feed in due:
            feed.asked = feed.log.promised
        for event in await self._events.news([(*feed.key, feed.log.seq) for feed in due]):
            found[event.tenant_id, event.run_id].append(event)
        silent = {feed.key for feed in due if not found[feed.key] and self._is_to_be_verified(feed, now)}
        states = await self._events.states(list(silent)) if silent else {}
        for feed in due:
            feed.looked = now
            try:
                await self._take(feed, found[feed.key], now)
                if feed.key in silent:
                    feed.verified = now
                    await self._verify(feed, states.get(feed.key))
            except DatabaseUnavailable:
                raise
            except NotFound as gone:
                self._fail(feed, gone)
            except Exception as error:  # noqa: BLE001 - the other streams must not end with this one
                self._break(feed, error)

    async def _take(self, feed: Feed, events: Sequence[StoredEvent], now: float) -> None:
        if feed.joined is not None:
            await self._begin(feed, feed.joined, events)
        if [event for event in events if feed.log.event(event.seq, event.type, event.data)]:
            feed.stirred = now
        feed.wake()

    async def _begin(self, feed: Feed, run: Run, events: Sequence[StoredEvent]) -> None:
        happenings = [] if is_whole(events) else await self._replay.happenings(run, events)
        feed.joined = None
        feed.log.begin(run, happenings)

    @staticmethod
    def _is_to_be_verified(feed: Feed, now: float) -> bool:
        # An event that is known to be stored and is not found has gone with its run.
        silent = feed.log.behind or now - max(feed.stirred, feed.verified) >= VERIFY
        return feed.joined is None and silent

    async def _verify(self, feed: Feed, state: RunState | None) -> None:
        """See whether a run that has been silent for long is still there, or has ended in silence (by an import)."""
        if state is None:
            raise NotFound("run", feed.run_id)
        known = feed.log.run
        if known is not None and state.status.ended and state.seq <= feed.log.seq:
            feed.log.conclude(await self._runs.get(feed.tenant_id, known.thread_id, feed.run_id))
            feed.wake()

    def _note_outage(self, now: float) -> None:
        if self._failing_since is None:
            log.warning("streams cannot read the database", action="streams_waiting")
            self._failing_since = now
        if now - self._failing_since >= OUTAGE:
            for feed in list(self._feeds.values()):
                if feed.listeners and now - feed.stirred >= OUTAGE:
                    self._fail(feed, DatabaseUnavailable("the database was away for too long"))

    def _break(self, feed: Feed, error: Exception) -> None:
        log.error("a stream cannot go on", action="stream_fault", run_id=feed.run_id, error=type(error).__name__)
        self._fail(feed, error)

    def _fail(self, feed: Feed, failure: Exception) -> None:
        feed.failure = failure
        feed.wake()

    def _forget(self, feed: Feed) -> None:
        self._left.pop(feed, None)
        if self._feeds.get(feed.key) is feed:
            del self._feeds[feed.key]

    def _poke(self) -> None:
        self._poked.set()

    async def _tick_forever(self) -> None:
        while True:
            await self._pause(TICK)
            self.tick()

    async def _look_forever(self) -> None:
        while True:
            await self._poked.wait()
            self._poked.clear()
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - the next look must not depend on this one
                log.error("looking after streams failed", action="streams_fault", error=type(error).__name__)
