"""Asking for an answer, and waiting for it."""

from hashlib import sha256

import orjson
from run_engine.domain.objects import Run as EngineRun
from run_engine.domain.status import RunStatus
from run_engine.errors import ThreadBusy

from gateway.application.answering import Answering, Given, UnderWay
from gateway.application.exchanges import Exchanges, Said
from gateway.application.identities import NewIds
from gateway.application.waiting import Waiting
from gateway.entrypoints.http.agents import presenters
from gateway.entrypoints.http.agents.ids import AgentIds
from gateway.entrypoints.http.agents.requests import Run, parse
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.presence import while_present


class RunOperations:
    """The synchronous run. `limit` is the most seconds that a request waits for its answer."""

    def __init__(
        self,
        *,
        answering: Answering,
        exchanges: Exchanges,
        waiting: Waiting,
        ids: AgentIds,
        new_ids: NewIds,
        limit: float,
    ) -> None:
        self._answering = answering
        self._exchanges = exchanges
        self._waiting = waiting
        self._ids = ids
        self._new_ids = new_ids
        self._limit = limit

    async def run(self, call: Call) -> Reply:
        """Reply with the assistant's answer, or with the message in which it asks for calls of the client's tools."""
        thread_id = await self._ids.read(call.tenant_id, "thread", call.values["thread_id"])
        asked = await parse(call, Run)
        if call.once is None:
            run = await while_present(call, self._answered(call.tenant_id, thread_id, asked))
            return await self._shown(run)
        # The request has a key: what is done once is that a run is started. It is waited for outside of the commit.
        fingerprint = sha256(await call.body()).digest()
        started = await call.once(fingerprint, lambda: self._started(call.tenant_id, thread_id, asked))
        run_id = orjson.loads(started.body)["run_id"]
        waiting = self._waiting.for_end(call.tenant_id, thread_id, run_id, self._limit)
        return await self._shown(await while_present(call, waiting))

    async def _answered(self, tenant_id: str, thread_id: str, asked: Run) -> EngineRun:
        while True:
            following = await self._answering.next(tenant_id, thread_id, await self._assistant(tenant_id, asked))
            if isinstance(following, Given):
                return following.run
            if isinstance(following, UnderWay):
                return await self._waiting.for_end(tenant_id, thread_id, following.run.id, self._limit)
            draft = asked.draft(self._new_ids, following.assistant.id)
            try:
                return await self._waiting.start(tenant_id, thread_id, draft, limit=self._limit)
            except ThreadBusy:
                # Somebody else has just asked: then it is the same answer.
                continue

    async def _started(self, tenant_id: str, thread_id: str, asked: Run) -> Reply:
        following = await self._answering.next(tenant_id, thread_id, await self._assistant(tenant_id, asked))
        if isinstance(following, UnderWay | Given):
            run = following.run
        else:
            run = await self._waiting.begin(tenant_id, thread_id, asked.draft(self._new_ids, following.assistant.id))
        return Reply(200, orjson.dumps({"run_id": run.id}))

    async def _assistant(self, tenant_id: str, asked: Run) -> str | None:
        return None if asked.assistant_id is None else await self._ids.read(tenant_id, "assistant", asked.assistant_id)

    async def _shown(self, run: EngineRun) -> Reply:
        if run.status is RunStatus.REQUIRES_ACTION:
            said = await self._exchanges.asking(run)
        else:
            answer = await self._answering.answer(run)
            said = Said("message", answer.message, answer.sources)
        ids = await self._ids.shown(run.tenant_id, presenters.ids_of_said(said))
        assistant = await self._answering.facts_of(run.tenant_id, run.assistant_id)
        return Reply(200, orjson.dumps(presenters.message(said, ids, assistant)))
