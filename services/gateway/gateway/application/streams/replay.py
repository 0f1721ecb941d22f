"""What has happened to a run whose events are not all stored: made of its objects. Used by `hub`.

Imported runs have no events, and those of a run that ended long ago are forgotten some day. All that is made here has
the number of the last event that is not stored, so events that follow have places after it.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from run_engine.domain.drafts import PageRequest
from run_engine.domain.objects import Run, RunStep
from run_engine.domain.status import MessageStatus, RunStatus, StepStatus
from run_engine.errors import NotFound
from run_engine.store.streams import StoredEvent

from gateway.application.streams.happenings import Happening, Subject
from gateway.application.streams.ports import StreamedMessages, StreamedRuns

_FIRST: Final = "threadworks.run.queued.v1"
_CREATED: Final = "threadworks.run-step.created.v1"
_PAGE: Final = 100


def is_whole(events: Sequence[StoredEvent]) -> bool:
    """Whether events tell of a run from its beginning."""
    return bool(events) and events[0].seq == 1 and events[0].type == _FIRST


class Replay:
    """Makes happenings of objects."""

    def __init__(self, runs: StreamedRuns, messages: StreamedMessages) -> None:
        self._runs = runs
        self._messages = messages

    async def happenings(self, found: Run, events: Sequence[StoredEvent]) -> list[Happening]:
        """Return what has happened before the stored events; of a run that has ended, everything.

        Raises `NotFound` and `DatabaseUnavailable`.
        """
        run = await self._runs.get(found.tenant_id, found.thread_id, found.id)
        seq = run.seq if run.status.ended or not events else events[0].seq - 1
        told = {event.subject for event in events if event.type == _CREATED and not run.status.ended}
        begun = replace(
            run,
            status=RunStatus.QUEUED,
            started_at=None,
            completed_at=None,
            failed_at=None,
            cancelled_at=None,
            last_error=None,
            incomplete_details=None,
            usage=None,
            required_calls=(),
        )
        subjects: list[tuple[str, Subject]] = [("queued", begun)]
        if run.started_at is not None or run.status not in {RunStatus.QUEUED, RunStatus.CANCELLED, RunStatus.EXPIRED}:
            driven = replace(begun, status=RunStatus.IN_PROGRESS, started_at=run.started_at)
            subjects.append(("in_progress", driven))
        async for step in self._steps(run):
            if step.id not in told:
                subjects += await self._of_step(run, step)
        if run.status.ended or not events:
            subjects.append((run.status.value, run))
        return [Happening(seq, name, subject) for name, subject in subjects]

    async def _steps(self, run: Run) -> AsyncIterator[RunStep]:
        after = None
        while True:
            request = PageRequest(limit=_PAGE, order="asc", after=after)
            page = await self._runs.list_steps(run.tenant_id, run.thread_id, run.id, request)
            for step in page.items:
                yield step
            if not page.has_more:
                return
            after = page.items[-1].id

    async def _of_step(self, run: Run, step: RunStep) -> list[tuple[str, Subject]]:
        begun = replace(
            step,
            status=StepStatus.IN_PROGRESS,
            completed_at=None,
            failed_at=None,
            cancelled_at=None,
            expired_at=None,
            last_error=None,
            usage=None,
            tool_calls=tuple(replace(call, output=None) for call in step.tool_calls),
        )
        subjects: list[tuple[str, Subject]] = [("created", begun)]
        if step.message_id is not None:
            try:
                message = await self._messages.get(run.tenant_id, run.thread_id, step.message_id)
            except NotFound:
                # It was deleted. The step says that there was one; nobody can say what was in it.
                pass
            else:
                if message.status is not MessageStatus.IN_PROGRESS:
                    subjects.append((message.status.value, message))
        if step.status is not StepStatus.IN_PROGRESS:
            subjects.append((step.status.value, step))
        return subjects
