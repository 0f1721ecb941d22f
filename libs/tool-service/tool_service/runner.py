"""One tool service on a bus: subscribes, answers, announces, drains.

Composition roots build it (`process.run`, the bootstrap of moodle-tool) and own the bus.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from functools import cached_property

from event_bus import EventBus, Subscription
from message_contracts import catalogue
from observability import Meters

from tool_service import calls
from tool_service.announcing import EVERY, Announcing
from tool_service.answering import Answering
from tool_service.context import utc_now
from tool_service.function import ToolFunction
from tool_service.metrics import ToolMeter
from tool_service.recent_answers import RecentAnswers
from tool_service.sealing import SealingKeys


class ToolServiceRunner:
    """Serves the functions of one tool service from `start` to `stop`.

    The bus must be started before and stopped after it. `concurrency` is how many calls of one partition are worked on
    at once, `announce_every` in seconds; `lifespan` is entered before the first call and left after the last one.
    `meters` are those of the process. `keys` open users' own credentials; without any, the service takes none.
    """

    def __init__(
        self,
        name: str,
        functions: Mapping[str, ToolFunction],
        bus: EventBus,
        *,
        concurrency: int = 16,
        announce_every: float = EVERY,
        lifespan: AbstractAsyncContextManager[object] | None = None,
        clock: Callable[[], datetime] = utc_now,
        meters: Meters | None = None,
        keys: SealingKeys | None = None,
    ) -> None:
        self._name = name
        self._bus = bus
        self._concurrency = concurrency
        self._lifespan = lifespan
        functions = dict(functions)
        meter = ToolMeter(Meters() if meters is None else meters)
        keys = SealingKeys() if keys is None else keys
        self._answering = Answering(
            functions, bus.publisher, clock=clock, recent=RecentAnswers(), meter=meter, keys=keys
        )
        self._announcing = Announcing(
            bus.publisher,
            lambda now: calls.announcement(name, functions.values(), now, keys.public_key),
            clock=clock,
            every=announce_every,
        )
        self._resources = AsyncExitStack()
        self._subscription: Subscription | None = None
        self._announcer: asyncio.Task[None] | None = None

    @cached_property
    def failed(self) -> asyncio.Future[BaseException]:
        """Resolves with the cause when the service has died for good: the process should exit and be restarted."""
        return asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Take calls and announce. Returns without waiting for the first announcement."""
        if self._lifespan is not None:
            await self._resources.enter_async_context(self._lifespan)
        self._subscription = await self._bus.subscribe(
            group=f"tool-service.{self._name}",
            topics=[catalogue.tool_calls_topic(self._name).name],
            handlers={calls.REQUESTED: self._answering.handle},
            service=f"tool-service.{self._name}",
            concurrency=self._concurrency,
        )
        self._subscription.failed.add_done_callback(self._subscription_failed)
        self._announcer = asyncio.create_task(self._announcing.run(), name=f"announce:{self._name}")
        self._announcer.add_done_callback(self._announcer_ended)

    async def stop(self) -> None:
        """Take no more calls, let running ones finish (the bus waits up to 10 s), release everything. Idempotent."""
        if self._announcer is not None:
            self._announcer.cancel()
        if self._subscription is not None:
            await self._subscription.stop()
        await self._answering.stop()
        await self._resources.aclose()

    def checks(self) -> dict[str, Callable[[], str | None]]:
        """Return the readiness checks: None while all is well, else what is missing."""
        return {"announcement": self._check_announcement, "tool-calls": self._check_subscription}

    def _check_announcement(self) -> str | None:
        return None if self._announcing.announced else f"the functions of {self._name} are not announced yet"

    def _check_subscription(self) -> str | None:
        if self._subscription is None:
            return f"{self._name} does not take calls yet"
        return "the subscription has failed" if self._subscription.failed.done() else None

    def _subscription_failed(self, future: asyncio.Future[BaseException]) -> None:
        if not future.cancelled() and not self.failed.done():
            self.failed.set_result(future.exception() or future.result())

    def _announcer_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_result(error)
