"""Tells everybody which functions the service answers: at start and every minute, on the compacted topic.

Orchestrators and gateways wait for it before they start runs. `runner` owns the one task that does this.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from event_bus import OutgoingRecord, Publisher

log = structlog.get_logger(__name__)

EVERY = 60.0
"""Seconds between announcements: a topic that was deleted or a reader that lost one has it again within a minute."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


class Announcing:
    """Publishes the announcement again and again, and sooner while it fails."""

    def __init__(
        self,
        publisher: Publisher,
        announcement: Callable[[datetime], OutgoingRecord],
        *,
        clock: Callable[[], datetime],
        every: float = EVERY,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`announcement` writes the record for a point in time; `every` and what is given to `sleep` are seconds."""
        self._publisher = publisher
        self._announcement = announcement
        self._clock = clock
        self._every = every
        self._sleep = sleep
        self.announced = False
        """Whether an announcement has been acknowledged since the start."""

    async def run(self) -> None:
        """Announce until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            (outcome,) = await self._publisher.publish([self._announcement(self._clock())])
            if outcome is None:
                if not self.announced:
                    log.info("announced the functions", action="tool_service_announced")
                self.announced = True
                pause = _FIRST_PAUSE
                await self._sleep(self._every)
            else:
                log.warning("the announcement failed", action="tool_service_not_announced", reason=outcome.reason)
                await self._sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
