"""Assistants: create, retrieve, modify, list, delete."""

from gateway.application.identities import NewIds
from gateway.application.ports import AssistantStore
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.presenters import assistants, lists
from gateway.entrypoints.http.openai.requests.assistants import CreateAssistant, ModifyAssistant
from gateway.entrypoints.http.openai.requests.paging import page_request
from gateway.entrypoints.http.openai.requests.parsing import parse
from gateway.entrypoints.http.openai.requests.path_ids import known_form


class AssistantOperations:
    """Handlers for `/v1/assistants…`."""

    def __init__(self, store: AssistantStore, new_ids: NewIds) -> None:
        self._store = store
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """POST /assistants."""
        body = await parse(call, CreateAssistant)
        return ok(assistants.assistant(await self._store.create(call.tenant_id, body.draft(self._new_ids))))

    async def list(self, call: Call) -> Reply:
        """GET /assistants."""
        found = await self._store.list(call.tenant_id, page_request(call.query, "assistant"))
        return ok(lists.page(found, assistants.assistant))

    async def retrieve(self, call: Call) -> Reply:
        """GET /assistants/{assistant_id}."""
        return ok(assistants.assistant(await self._store.get(call.tenant_id, assistant_id_of(call))))

    async def modify(self, call: Call) -> Reply:
        """POST /assistants/{assistant_id}."""
        assistant_id = assistant_id_of(call)
        body = await parse(call, ModifyAssistant)
        return ok(assistants.assistant(await self._store.modify(call.tenant_id, assistant_id, body.changes())))

    async def delete(self, call: Call) -> Reply:
        """DELETE /assistants/{assistant_id}."""
        assistant_id = assistant_id_of(call)
        await self._store.delete(call.tenant_id, assistant_id)
        return ok(lists.deleted("assistant", assistant_id))


def assistant_id_of(call: Call) -> str:
    """Return the assistant that the path names."""
    return known_form("assistant", call.values["assistant_id"])
