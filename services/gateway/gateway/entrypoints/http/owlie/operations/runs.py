"""Runs: look at one, answer its calls, stop it."""

import re
from contextlib import suppress
from typing import Final

from run_engine.domain.objects import Run
from run_engine.domain.status import PARKED
from run_engine.errors import IllegalMove, NotFound

from gateway.application.runs import Runs
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.owlie.encrypted_ids import EncryptedIds
from gateway.entrypoints.http.owlie.presenters import ok, run_status
from gateway.entrypoints.http.owlie.requests import parse_outputs

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class RunOperations:
    """Handlers for `/api/runs/{thread_id}/{run_id}` and `/api/threads/{thread_id}/runs/{run_id}…`."""

    def __init__(self, runs: Runs, ids: EncryptedIds) -> None:
        self._runs = runs
        self._ids = ids

    async def retrieve(self, call: Call) -> Reply:
        """GET: its status, and the calls that it waits for."""
        return await self._status(await self._runs.get(call.tenant_id, *self._named(call)))

    async def answer(self, call: Call) -> Reply:
        """POST …/tool: outputs of some of its calls, a service's too. Of each call the first output counts."""
        thread_id, run_id = self._named(call)
        outputs = await parse_outputs(call)
        return await self._status(await self._runs.answer(call.tenant_id, thread_id, run_id, outputs))

    async def cancel(self, call: Call) -> Reply:
        """POST …/cancel. A run that ended just before whoever reads along could stop it has stopped, too."""
        thread_id, run_id = self._named(call)
        with suppress(IllegalMove):
            await self._runs.cancel(call.tenant_id, thread_id, run_id)
        return ok({"message": "Thread stopped successfully."})

    def _named(self, call: Call) -> tuple[str, str]:
        thread_id, run_id = self._ids.id_of("thread", call.values["thread_id"]), call.values["run_id"]
        if _ID.fullmatch(run_id) is None:
            raise NotFound("run", run_id)
        return thread_id, run_id

    async def _status(self, run: Run) -> Reply:
        calls = await self._runs.open_calls(run.tenant_id, run.thread_id, run.id) if run.status in PARKED else ()
        if run.status in PARKED and not calls:
            # The last of them was answered between the two looks.
            run = await self._runs.get(run.tenant_id, run.thread_id, run.id)
        return ok(run_status(self._ids, run, calls))
