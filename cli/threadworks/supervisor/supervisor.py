"""Starts parts, watches them, restarts what dies, and stops them stage by stage."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from threadworks.supervisor.backoff import Backoff
from threadworks.supervisor.part import Part

log = structlog.get_logger(__name__)


class Supervisor:
    """All parts of one `threadworks up`. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._watched: dict[str, tuple[Part, asyncio.Task[None]]] = {}

    async def start(self, *parts: Part) -> None:
        """Starts parts at once and returns when all of them are ready. Raises the first one's reason if one is not."""
        for part in parts:
            self._watched[part.name] = (part, asyncio.create_task(asyncio.sleep(0)))
        starting = [asyncio.ensure_future(part.start()) for part in parts]
        try:
            await asyncio.gather(*starting)
        finally:
            # Where one has failed, the others must not go on and come up after they were stopped.
            for start in starting:
                start.cancel()
            await asyncio.gather(*starting, return_exceptions=True)
        for part in parts:
            self._watched[part.name] = (part, asyncio.create_task(self._watch(part), name=f"watch {part.name}"))

    async def remove(self, name: str) -> None:
        """Stops one part in order and forgets it. Raises KeyError when there is none of that name."""
        part, watcher = self._watched[name]
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        try:
            await part.stop()
        finally:
            del self._watched[name]

    async def stop(self, *stages: Sequence[str]) -> None:
        """Stops stage after stage the parts whose names begin with its words, and at the end whatever is left."""
        for _, watcher in self._watched.values():
            watcher.cancel()
        await asyncio.gather(*(watcher for _, watcher in self._watched.values()), return_exceptions=True)
        for stage in [*stages, [""]]:
            names = [name for name in self._watched if name.startswith(tuple(stage))]
            stopped = [self._watched.pop(name)[0] for name in names]
            for outcome in await asyncio.gather(*(part.stop() for part in stopped), return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.error("a part did not stop in order", action="part_stop_failed", reason=str(outcome))

    async def _watch(self, part: Part) -> None:
        backoff = Backoff()
        while True:
            since = self._clock()
            code = await part.exited()
            delay = backoff.delay(self._clock() - since)
            log.warning(
                "a part ended and is started again",
                action="part_restarts",
                part=part.name,
                exit_code=code,
                delay_seconds=delay,
            )
            await self._pause(delay)
            await self._restart(part)

    async def _restart(self, part: Part) -> None:
        try:
            await part.start()
        except Exception as error:  # noqa: BLE001 - whatever kept it from starting, it is tried again
            log.error("a part could not be started", action="part_start_failed", part=part.name, reason=str(error))
        else:
            log.info("a part is back", action="part_restarted", part=part.name)
