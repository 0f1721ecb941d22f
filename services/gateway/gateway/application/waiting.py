"""Waits for runs to end: the synchronous calls of the dialects. Used by dialects; streams are `streams.readings`.

A waiter is there before the commit that starts its run, and is woken by what the hub hears: a hint that the worker
sends when it lets go of the run, or, where that is lost, the look that the hub takes every second at all silent runs at
once. It asks for news alone, so nothing is sent or written for its sake while the model writes, it holds no connection
to the database, and reads nothing there itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from run_engine.domain.drafts import NewMessage, NewRun, NewThread
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus

from gateway.application.runs import Runs
from gateway.application.streams.feed import Feed
from gateway.application.streams.happenings import Happening
from gateway.application.streams.hub import Hub

_Commit: TypeAlias = Callable[[int | None], Awaitable[Run]]


class StillRunning(Exception):
    """The run took longer than its caller may wait. It goes on."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} goes on")
        self.run = run
        """The run, as it was known last."""


class Waiting:
    """Returns runs once they have ended or wait for their client's outputs.

    `limit` is the most seconds to wait after the commit; then `StillRunning` is raised. Whatever `Runs` raises is
    raised, too, `NotFound` when the run is deleted while it is waited for, and `StreamsEnd` when the gateway stops. A
    waiter that is cancelled leaves nothing behind; its run goes on.
    """

    def __init__(self, hub: Hub, runs: Runs) -> None:
        self._hub = hub
        self._runs = runs

    async def start(
        self, tenant_id: str, thread_id: str, draft: NewRun, messages: Sequence[NewMessage] = (), *, limit: float
    ) -> Run:
        """Start a run on a thread, with additional messages, and wait for it."""

        async def commit(number: int | None) -> Run:
            return await self._runs.start(tenant_id, thread_id, draft, messages, stream_slot=number)

        return await self._wait(tenant_id, draft.id, commit, limit, new=True)

    async def begin(self, tenant_id: str, thread_id: str, draft: NewRun, messages: Sequence[NewMessage] = ()) -> Run:
        """Start a run that is waited for with `for_end` later, once the commit that this is a part of is over.

        Its worker is told with the commit who will wait: what it learns later, it may learn too late.
        """
        number = self._hub.number_for(text=False)
        return await self._runs.start(tenant_id, thread_id, draft, messages, stream_slot=number)

    async def start_on_new_thread(self, tenant_id: str, thread: NewThread, draft: NewRun, *, limit: float) -> Run:
        """Make a thread, start a run on it, and wait for it."""

        async def commit(number: int | None) -> Run:
            return await self._runs.start_on_new_thread(tenant_id, thread, draft, stream_slot=number)

        return await self._wait(tenant_id, draft.id, commit, limit, new=True)

    async def submit_outputs(
        self, tenant_id: str, thread_id: str, run_id: str, outputs: Sequence[tuple[str, str]], *, limit: float
    ) -> Run:
        """Store the client's outputs, all of them, and wait for what follows."""

        async def commit(number: int | None) -> Run:
            return await self._runs.submit_outputs(tenant_id, thread_id, run_id, outputs, stream_slot=number)

        return await self._wait(tenant_id, run_id, commit, limit)

    async def for_end(self, tenant_id: str, thread_id: str, run_id: str, limit: float) -> Run:
        """Wait for a run that was started before. Raises `NotFound`."""

        async def commit(_number: int | None) -> Run:
            return await self._runs.get(tenant_id, thread_id, run_id)

        return await self._wait(tenant_id, run_id, commit, limit, tells=False)

    async def _wait(
        self, tenant_id: str, run_id: str, commit: _Commit, limit: float, *, new: bool = False, tells: bool = True
    ) -> Run:
        """Wait for what follows a commit: it makes the run if it is `new`, and `tells` the run who waits."""
        hub = self._hub
        feed, listener = hub.listen(tenant_id, run_id, text=False)
        try:
            number = hub.number_for(text=False)
            run = await commit(number)
            if _is_over(run):
                return run
            if tells and feed.slot is None:
                feed.slot = number
            if new and feed.log.run is None:
                feed.log.begin(run, [Happening(run.seq, run.status.value, run)])
            hub.catch_up(feed, run)
            try:
                async with asyncio.timeout(limit):
                    while not _is_over(latest := _latest(feed, run)):
                        if feed.failure is not None:
                            raise feed.failure
                        await listener.news()
            except TimeoutError:
                raise StillRunning(_latest(feed, run)) from None
            return latest
        finally:
            hub.leave(feed, listener)


def _is_over(run: Run) -> bool:
    return run.status.ended or run.status is RunStatus.REQUIRES_ACTION


def _latest(feed: Feed, known: Run) -> Run:
    """Return the run after the last event that is here, or as it is known from elsewhere, if that is newer."""
    for each in reversed(feed.log.happenings):
        if isinstance(each.subject, Run):
            return replace(each.subject, seq=each.seq) if each.seq > known.seq or feed.log.ended else known
    return known
