"""Assistants: create, retrieve, update."""

from run_engine.domain.objects import Assistant

from gateway.application.conversation_ports import UserStore
from gateway.application.identities import NewIds
from gateway.application.ports import AssistantStore
from gateway.entrypoints.http.entities.ids import EntityIds
from gateway.entrypoints.http.entities.operations.replies import ok
from gateway.entrypoints.http.entities.presenters import assistants
from gateway.entrypoints.http.entities.requests.assistants import CreateAssistant, UpdateAssistant
from gateway.entrypoints.http.entities.requests.parsing import parse
from gateway.entrypoints.http.exchange import Call, Reply


class AssistantOperations:
    """Handlers for `/assistants` and `/assistants/{assistant_id}`."""

    def __init__(self, store: AssistantStore, users: UserStore, ids: EntityIds, new_ids: NewIds) -> None:
        self._store = store
        self._users = users
        self._ids = ids
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """POST /assistants."""
        body = await parse(call, CreateAssistant)
        user_id = None
        if body.user_id is not None:
            user_id = await self._ids.read(call.tenant_id, "user", body.user_id)
            await self._users.get(call.tenant_id, user_id)
        made = await self._store.create(call.tenant_id, body.draft(self._new_ids))
        if user_id is not None:
            await self._users.attach_assistant(call.tenant_id, user_id, made.id)
        return await self._shown(call, made, user_id)

    async def retrieve(self, call: Call) -> Reply:
        """GET /assistants/{assistant_id}."""
        return await self._shown(call, await self._store.get(call.tenant_id, await self._assistant_id(call)))

    async def update(self, call: Call) -> Reply:
        """PUT /assistants/{assistant_id}."""
        assistant_id = await self._assistant_id(call)
        body = await parse(call, UpdateAssistant)
        return await self._shown(call, await self._store.modify(call.tenant_id, assistant_id, body.changes()))

    async def _assistant_id(self, call: Call) -> str:
        return await self._ids.read(call.tenant_id, "assistant", call.values["assistant_id"])

    async def _shown(self, call: Call, found: Assistant, user_id: str | None = None) -> Reply:
        ids = await self._ids.shown(call.tenant_id, assistants.ids_of_assistant(found, user_id))
        return ok(assistants.assistant(found, ids, user_id))
