"""Runs: start, retrieve, say how they stand, and the interrupt button."""

from contextlib import suppress
from typing import Final

from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus

from gateway.application.identities import NewIds
from gateway.application.runs import Runs
from gateway.application.streams.hub import StreamsEnd
from gateway.application.waiting import StillRunning, Waiting
from gateway.entrypoints.http.entities.ids import EntityIds
from gateway.entrypoints.http.entities.operations.replies import ok
from gateway.entrypoints.http.entities.presenters import runs
from gateway.entrypoints.http.entities.presenters.words import run_status
from gateway.entrypoints.http.entities.refusals import Refusal
from gateway.entrypoints.http.entities.requests.parsing import parse
from gateway.entrypoints.http.entities.requests.runs import CreateRun, UpdateRunStatus
from gateway.entrypoints.http.exchange import Call, Reply

OBEYED_WITHIN: Final = 5.0
"""Seconds that a cancellation waits for the run's worker at the most. It obeys within two."""

_GOES_ON: Final = frozenset({"pending", "queued", "processing", "in_progress", "retrying", "action_required"})
_TO_BE_CANCELLED: Final = frozenset({"cancelling", "cancelled"})


class RunOperations:
    """Handlers for `/runs…`."""

    def __init__(self, runs: Runs, waiting: Waiting, ids: EntityIds, new_ids: NewIds) -> None:
        self._runs = runs
        self._waiting = waiting
        self._ids = ids
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """POST /runs."""
        body = await parse(call, CreateRun)
        thread_id = await self._ids.read(call.tenant_id, "thread", body.thread_id)
        assistant_id = await self._ids.read(call.tenant_id, "assistant", body.assistant_id)
        started = await self._runs.start(call.tenant_id, thread_id, body.draft(self._new_ids, assistant_id), [])
        return await self._shown(call, started)

    async def retrieve(self, call: Call) -> Reply:
        """GET /runs/{run_id}."""
        return await self._shown(call, await self._find(call))

    async def update_status(self, call: Call) -> Reply:
        """PUT /runs/{run_id}/status. How a run stands, the server knows: a client can cancel it, or say what is so."""
        body = await parse(call, UpdateRunStatus)
        found = await self._find(call)
        if body.status in _TO_BE_CANCELLED and found.status is not RunStatus.CANCELLED:
            return await self._cancelled(call, found)
        goes_on = not found.status.ended and found.status is not RunStatus.CANCELLING
        if body.status == run_status(found.status) or (goes_on and body.status in _GOES_ON):
            return await self._shown(call, found)
        raise Refusal(409, f"The run is {run_status(found.status)}; the server alone says when that changes")

    async def cancel(self, call: Call) -> Reply:
        """POST /runs/{run_id}/cancel. A body is not looked at: there is nothing to say."""
        return await self._cancelled(call, await self._find(call))

    async def _cancelled(self, call: Call, found: Run) -> Reply:
        """Cancel a run and wait until its worker has put down what was said, so that the thread can go on at once."""
        run = found
        if found.status is not RunStatus.CANCELLING:
            run = await self._runs.cancel(call.tenant_id, found.thread_id, found.id)
        if not run.status.ended:
            # What was committed is not refused because a gateway stops.
            with suppress(StreamsEnd):
                try:
                    run = await self._waiting.for_end(call.tenant_id, run.thread_id, run.id, OBEYED_WITHIN)
                except StillRunning as late:
                    run = late.run
        return await self._shown(call, run)

    async def _find(self, call: Call) -> Run:
        run_id = await self._ids.read(call.tenant_id, "run", call.values["run_id"])
        return await self._runs.find(call.tenant_id, run_id)

    async def _shown(self, call: Call, found: Run) -> Reply:
        return ok(runs.run(found, await self._ids.shown(call.tenant_id, runs.ids_of_run(found))))
