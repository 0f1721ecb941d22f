"""Threads: create with participants, retrieve, delete."""

from run_engine.domain.objects import Thread
from run_engine.errors import NotFound

from gateway.application.conversation_ports import UserStore
from gateway.application.identities import NewIds
from gateway.application.ports import ThreadStore
from gateway.entrypoints.http.entities.ids import EntityIds
from gateway.entrypoints.http.entities.operations.replies import NO_CONTENT, ok
from gateway.entrypoints.http.entities.presenters import threads
from gateway.entrypoints.http.entities.refusals import Refusal
from gateway.entrypoints.http.entities.requests.parsing import parse
from gateway.entrypoints.http.entities.requests.threads import CreateThread
from gateway.entrypoints.http.exchange import Call, Reply


class ThreadOperations:
    """Handlers for `/threads` and `/threads/{thread_id}`."""

    def __init__(self, store: ThreadStore, users: UserStore, ids: EntityIds, new_ids: NewIds) -> None:
        self._store = store
        self._users = users
        self._ids = ids
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """POST /threads."""
        body = await parse(call, CreateThread)
        try:
            participants = [await self._ids.read(call.tenant_id, "user", each) for each in body.participant_ids]
            made = await self._store.create(call.tenant_id, body.draft(self._new_ids, participants))
        except NotFound:
            raise Refusal(400, "Invalid user IDs") from None
        return await self._shown(call, made)

    async def retrieve(self, call: Call) -> Reply:
        """GET /threads/{thread_id}."""
        return await self._shown(call, await self._store.get(call.tenant_id, await self._thread_id(call)))

    async def delete(self, call: Call) -> Reply:
        """DELETE /threads/{thread_id}, with all that is in it."""
        await self._store.delete(call.tenant_id, await self._thread_id(call))
        return NO_CONTENT

    async def _thread_id(self, call: Call) -> str:
        return await self._ids.read(call.tenant_id, "thread", call.values["thread_id"])

    async def _shown(self, call: Call, found: Thread) -> Reply:
        participants = await self._users.participants(call.tenant_id, found.id)
        ids = await self._ids.shown(call.tenant_id, threads.ids_of_thread(found, participants))
        return ok(threads.thread(found, participants, ids))
