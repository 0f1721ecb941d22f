"""Begins and joins streams: a reader is there before the commit that it reads of, so nothing is missed.

Used by dialects. What is told is in `telling`; nothing here holds a connection to the database while a stream goes on.
"""

from collections.abc import Sequence
from typing import Final

from run_engine.domain.drafts import NewMessage, NewRun, NewThread
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus

from gateway.application.runs import Runs
from gateway.application.streams.feed import Feed, Listener
from gateway.application.streams.happenings import Happening
from gateway.application.streams.hub import Hub
from gateway.application.streams.narration import BEFORE_FIRST, BEGINNING, Narration
from gateway.application.streams.telling import Place, Told

_ALL_OF_IT: Final = 2**31 - 1
"""More than any event tells, as `n` of a place."""


class UnknownPlace(Exception):
    """The run has not come to the place that a reader wants to go on from."""


class Reading:
    """One reader of a run. `close` it, whether it was read or not."""

    def __init__(self, hub: Hub, tenant_id: str, run_id: str) -> None:
        self._hub = hub
        self._feed: Feed
        self._listener: Listener
        self._feed, self._listener = hub.listen(tenant_id, run_id)
        self._narration: Narration | None = None
        self._found: Run | None = None
        self._new = False
        self._slot: int | None = None
        self._closed = False

    @property
    def ended(self) -> bool:
        """Whether everything is told, or the reader is gone."""
        return self._closed or (self._narration is not None and self._narration.ended)

    async def told(self) -> list[Told]:
        """Wait for something new. Empty: there was nothing for so long that the client needs a sign of life.

        Raises `NotFound` when the run was deleted, and `DatabaseUnavailable` when nothing can be heard any more.
        """
        if self._found is not None and not self._closed:
            # Only now, for the commit that the stream begins with may have come after the beginning, or never.
            self._meet(self._found)
            self._found = None
        while not self.ended:
            told = [] if self._narration is None else self._narration.told()
            if not told and self._feed.failure is not None:
                raise self._feed.failure
            if told or self._listener.overdue:
                self._listener.overdue = False
                self._hub.told(self._listener)
                return told
            await self._listener.news()
        return []

    def close(self) -> None:
        """Let go of the run, and wake whoever waits for news. Again changes nothing."""
        self._closed = True
        self._hub.leave(self._feed, self._listener)
        self._listener.wake()

    def begin_new(self, run: Run, slot: int | None, *, through_actions: bool = False) -> None:
        """Begin with a run that was made just now, and whose text is sent to `slot`."""
        self._new = True
        self.begin_at(run, BEFORE_FIRST, through_actions=through_actions, slot=slot)

    def begin_at(self, run: Run, after: Place, *, through_actions: bool, slot: int | None = None) -> None:
        """Begin with what comes after a place of a run that has gone on for a while, whose text `slot` gets, too."""
        self._narration = Narration(self._feed.log, after, through_actions=through_actions)
        self._found, self._slot = run, slot

    def _meet(self, run: Run) -> None:
        feed = self._feed
        if self._slot is not None:
            feed.slot = self._slot
        if self._new and feed.log.run is None:
            feed.log.begin(run, [Happening(run.seq, run.status.value, run)])
        self._hub.catch_up(feed, run)


class Readings:
    """Begins streams. Raises what `Runs` raises."""

    def __init__(self, hub: Hub, runs: Runs) -> None:
        self._hub = hub
        self._runs = runs

    async def start(
        self,
        tenant_id: str,
        thread_id: str,
        draft: NewRun,
        messages: Sequence[NewMessage],
        *,
        through_actions: bool = False,
    ) -> tuple[Run, Reading]:
        """Start a run on a thread and read it, to its end or, unless `through_actions`, until its client has to act."""
        reading, slot = Reading(self._hub, tenant_id, draft.id), self._hub.slot
        try:
            run = await self._runs.start(tenant_id, thread_id, draft, messages, stream_slot=slot)
        except BaseException:
            reading.close()
            raise
        reading.begin_new(run, slot, through_actions=through_actions)
        return run, reading

    async def start_on_new_thread(self, tenant_id: str, thread: NewThread, draft: NewRun) -> tuple[Run, Reading]:
        """Make a thread, start a run on it, and read it, as `start`."""
        reading, slot = Reading(self._hub, tenant_id, draft.id), self._hub.slot
        try:
            run = await self._runs.start_on_new_thread(tenant_id, thread, draft, stream_slot=slot)
        except BaseException:
            reading.close()
            raise
        reading.begin_new(run, slot)
        return run, reading

    async def submit_outputs(
        self, tenant_id: str, thread_id: str, run_id: str, outputs: Sequence[tuple[str, str]]
    ) -> tuple[Run, Reading, Place]:
        """Store the client's outputs and read what follows, as `start`. Also returns the place that it begins after."""
        reading, slot = Reading(self._hub, tenant_id, run_id), self._hub.slot
        try:
            run = await self._runs.submit_outputs(tenant_id, thread_id, run_id, outputs, stream_slot=slot)
        except BaseException:
            reading.close()
            raise
        # The outputs were the last that was waited for: the step is completed and the run queued. Or services have to
        # answer, too, and the run waits for them.
        after = Place(run.seq - (2 if run.status is RunStatus.QUEUED else 1), _ALL_OF_IT)
        reading.begin_at(run, after, through_actions=False, slot=slot)
        return run, reading, after

    async def join(
        self, tenant_id: str, thread_id: str, run_id: str, after: Place | None = None, *, through_actions: bool = True
    ) -> tuple[Run, Reading]:
        """Read a run after a place, from its beginning without one. Raises `NotFound` and `UnknownPlace`."""
        run = await self._runs.get(tenant_id, thread_id, run_id)
        if after is not None and after.seq > run.seq:
            raise UnknownPlace
        reading = Reading(self._hub, tenant_id, run_id)
        reading.begin_at(run, BEGINNING if after is None else after, through_actions=through_actions)
        return run, reading
