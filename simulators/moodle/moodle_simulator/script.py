"""What a test or a demo may ask of the simulator: be slow, fail in a recorded way, wait, count.

In one process a test calls a `Script` directly (`MoodleSimulator.script`); from another process the same is reached
over HTTP at `/_simulator/script` (see `app`).
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from moodle_simulator.moodle_request import MoodleRequest
from moodle_simulator.recordings import Recording, Recordings


class Script:
    """Scripted behaviour of one simulator. Nothing is scripted at first: every request is answered at once."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self._changed = asyncio.Condition()
        self._failures: list[Recording] = []
        self._hold: Mapping[str, str] | None = None
        self.delay_seconds = 0.0
        self.calls: Counter[str] = Counter()

    def delay(self, seconds: float) -> None:
        """Wait this long before each answer, from now on."""
        self.delay_seconds = seconds

    def fail_next(self, count: int, recording: str) -> None:
        """Answer the next `count` calls with the named recording (`core_course_get_contents/err_database_down`).

        Raises KeyError if there is no such recording.
        """
        self._failures.extend([self._recordings[recording]] * count)

    def hold(self, where: Mapping[str, str] | None = None) -> None:
        """Let calls wait, unanswered, until `release`; with `where` only those that carry these parameters."""
        self._hold = dict(where or {})

    async def release(self) -> None:
        """Answer the calls that `hold` has kept waiting, and hold no more."""
        self._hold = None
        async with self._changed:
            self._changed.notify_all()

    async def called(self, function: str, times: int) -> None:
        """Return once the function has been called this often since the start or the last `reset`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.calls[function] >= times)

    async def reset(self) -> None:
        """Forget everything: counters, delay, failures and held calls."""
        self._failures.clear()
        self.delay_seconds = 0.0
        self.calls.clear()
        await self.release()

    def state(self) -> dict[str, Any]:
        """Return the counters and what is scripted, for the control endpoint."""
        return {
            "calls": dict(self.calls),
            "delay_seconds": self.delay_seconds,
            "fail_next": [recording.name for recording in self._failures],
            "hold": self._hold,
        }

    async def apply(self, request: MoodleRequest) -> Recording | None:
        """Count the call, wait as scripted, and return the failure it is to be answered with, if any."""
        failure = self._failures.pop(0) if self._failures else None
        async with self._changed:
            self.calls[request.function or ""] += 1
            self._changed.notify_all()
            await self._changed.wait_for(lambda: not self._holds(request))
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        return failure

    def _holds(self, request: MoodleRequest) -> bool:
        if self._hold is None:
            return False
        return all(request.params.get(name) == value for name, value in self._hold.items())
