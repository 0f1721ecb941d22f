"""The life of the service on a bus: in which order it starts, what it waits for, how it drains and stops.

Made by `bootstrap`, run by `__main__` and by `threadworks run`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
from event_bus import EventBus, Subscription
from run_engine.process import EngineProcess
from run_engine.store.driving import Driving
from run_engine.sweeper import Sweeper

from run_orchestrator.application.claiming import Claiming
from run_orchestrator.application.driven_runs import HANDING_BACK_SECONDS, DrivenRuns
from run_orchestrator.application.places import Places
from run_orchestrator.application.tool_registry import ToolRegistry
from run_orchestrator.entrypoints.consumers import (
    Answers,
    follow_announcements,
    subscribe_to_commands,
    subscribe_to_results,
)

log = structlog.get_logger(__name__)

LOOKING: Final = "looking-for-runs"
LAST_CLAIM_SECONDS: Final = 10.0
"""Longest wait for a claim that is under way when the service stops: the time-out of a statement."""
CLOSING_SECONDS: Final = 15.0
"""One deadline for everything after the runs: subscriptions, the relay's last events, the connections."""


def longest_stop(drain_seconds: float) -> float:
    """Seconds that `Service.stop` takes at the most: the last claim, the drain, handing back, closing."""
    return LAST_CLAIM_SECONDS + drain_seconds + HANDING_BACK_SECONDS + CLOSING_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is built once the database is there."""

    engine: EngineProcess
    driving: Driving
    sweeper: Sweeper
    answers: Answers
    claiming: Claiming
    close_model: Callable[[], Awaitable[None]]
    drain_deltas: Callable[[], Awaitable[None]]


class Service:
    """The run-orchestrator. `assemble` waits for the database and builds what needs it."""

    def __init__(
        self,
        bus: EventBus,
        assemble: Callable[[], Awaitable[Parts]],
        *,
        registry: ToolRegistry,
        places: Places,
        driven: DrivenRuns,
        tool_service_wait: float,
        drain_seconds: float,
    ) -> None:
        self._bus = bus
        self._assemble = assemble
        self._registry = registry
        self._places = places
        self._driven = driven
        self._tool_service_wait = tool_service_wait
        self._drain_seconds = drain_seconds
        self._has_database = False
        self._has_bus = False
        self._running = AsyncExitStack()
        self._claiming: Claiming | None = None
        self._background: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        """Resolves with the cause when the service has died for good."""

    def checks(self) -> dict[str, Callable[[], str | None]]:
        """The readiness checks. What was reached once stays so: an outage of a shared part is not this process's."""
        return {"database": self._check_database, "event_bus": self._check_bus, "tool_services": self._check_tools}

    async def start(self) -> None:
        """Starts on a started bus. Waits while the database is away; raises `SchemaUnsuitable`.

        Runs are claimed once the pinned tool services have announced, or after `tool_service_wait`.
        """
        parts = await self._assemble()
        self._running.push_async_callback(parts.engine.stop)
        self._running.push_async_callback(parts.close_model)
        self._running.push_async_callback(parts.drain_deltas)
        await parts.engine.start(self._driven, parts.driving)
        self._has_database = True
        await parts.sweeper.start()
        self._running.push_async_callback(parts.sweeper.stop)
        follower = await follow_announcements(self._bus, self._registry)
        self._running.push_async_callback(follower.stop)
        self._watch(await subscribe_to_results(self._bus, parts.answers))
        self._watch(await subscribe_to_commands(self._bus, parts.claiming, self._driven, self._places))
        self._run_beside(self._note_bus(follower.caught_up), "bus-check")
        self._run_beside(self._open_places(), "tool-service-wait")
        self._claiming = parts.claiming
        self._run_beside(parts.claiming.keep_looking(), LOOKING)

    async def stop(self) -> None:
        """Claims no more, lets runs end, hands the rest back, then closes everything. Safe to call twice."""
        self._places.close()
        await self._stop_background()
        await self._driven.drain(self._drain_seconds)
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._running.aclose()
        except TimeoutError:
            log.warning("not everything stopped in time", action="closing_timeout", seconds=CLOSING_SECONDS)

    async def _stop_background(self) -> None:
        if self._claiming is not None:
            self._claiming.stop()
        for task in self._background:
            if task.get_name() != LOOKING:
                task.cancel()
        if self._background:
            await asyncio.wait(self._background, timeout=LAST_CLAIM_SECONDS)

    def _watch(self, subscription: Subscription) -> None:
        self._running.push_async_callback(subscription.stop)
        subscription.failed.add_done_callback(self._on_subscription_failed)

    def _run_beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        def over(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._fail(error)

        task = asyncio.create_task(work, name=name)
        task.add_done_callback(over)
        self._background.append(task)

    def _on_subscription_failed(self, failed: asyncio.Future[BaseException]) -> None:
        if not failed.cancelled():
            self._fail(failed.result())

    def _fail(self, cause: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(cause)

    async def _note_bus(self, caught_up: Callable[[], Awaitable[None]]) -> None:
        await caught_up()
        self._has_bus = True

    async def _open_places(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._tool_service_wait):
                await self._registry.complete()
        missing = self._registry.missing()
        if missing:
            log.warning(
                "runs start without tool services that have not announced",
                action="tool_services_missing",
                tool_services=missing,
            )
        self._places.open()

    def _check_database(self) -> str | None:
        return None if self._has_database else "not connected yet"

    def _check_bus(self) -> str | None:
        return None if self._has_bus else "nothing could be read yet"

    def _check_tools(self) -> str | None:
        told = [f"{service} has not announced" for service in self._registry.missing()]
        for function, services in self._registry.conflicts().items():
            told.append(f"{function} is announced by {' and '.join(services)}")
        return "; ".join(told) or None
