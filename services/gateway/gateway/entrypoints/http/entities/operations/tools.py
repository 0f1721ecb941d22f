"""Tools: create, retrieve by id and by name, list, update, delete; give them to assistants."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from run_engine.domain.drafts import PageRequest
from run_engine.domain.objects import Tool

from gateway.application.conversation_ports import ToolStore
from gateway.application.identities import NewIds
from gateway.entrypoints.http.entities.ids import EntityIds
from gateway.entrypoints.http.entities.operations.replies import NO_CONTENT, ok
from gateway.entrypoints.http.entities.presenters import tools
from gateway.entrypoints.http.entities.refusals import Refusal
from gateway.entrypoints.http.entities.requests.parsing import LONGEST_NAME, parse
from gateway.entrypoints.http.entities.requests.tools import CreateTool, UpdateTool
from gateway.entrypoints.http.exchange import Call, Reply

_PAGE: Final = 100


class ToolOperations:
    """Handlers for `/tools…` and `/assistants/{assistant_id}/tools…`."""

    def __init__(self, store: ToolStore, ids: EntityIds, new_ids: NewIds) -> None:
        self._store = store
        self._ids = ids
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """POST /tools."""
        body = await parse(call, CreateTool)
        return await self._shown(call, await self._store.create(call.tenant_id, body.draft(self._new_ids)))

    async def retrieve(self, call: Call) -> Reply:
        """GET /tools/{tool_id}."""
        return await self._shown(call, await self._store.get(call.tenant_id, await self._tool_id(call)))

    async def retrieve_by_name(self, call: Call) -> Reply:
        """GET /tools/name/{name}. Of several tools of one name, the oldest."""
        name = call.values["name"]
        async for each in self._all(call.tenant_id):
            if each.name == name:
                return await self._shown(call, each)
        raise Refusal(404, f"Tool with name {name[:LONGEST_NAME]} not found")

    async def list(self, call: Call) -> Reply:
        """GET /tools: all of them."""
        return await self._listed(call, [each async for each in self._all(call.tenant_id)])

    async def list_of_assistant(self, call: Call) -> Reply:
        """GET /assistants/{assistant_id}/tools."""
        assistant_id = await self._assistant_id(call)
        return await self._listed(call, await self._store.of_assistant(call.tenant_id, assistant_id))

    async def update(self, call: Call) -> Reply:
        """PUT /tools/{tool_id}. Assistants keep the function that they were given."""
        tool_id = await self._tool_id(call)
        body = await parse(call, UpdateTool)
        return await self._shown(call, await self._store.modify(call.tenant_id, tool_id, **body.changes()))

    async def delete(self, call: Call) -> Reply:
        """DELETE /tools/{tool_id}. Assistants keep the function that they were given."""
        await self._store.delete(call.tenant_id, await self._tool_id(call))
        return NO_CONTENT

    async def associate(self, call: Call) -> Reply:
        """POST /assistants/{assistant_id}/tools/{tool_id}."""
        await self._store.attach(call.tenant_id, await self._assistant_id(call), await self._tool_id(call))
        return ok({"message": "Tool associated with assistant successfully"})

    async def disassociate(self, call: Call) -> Reply:
        """DELETE /assistants/{assistant_id}/tools/{tool_id}. Again changes nothing."""
        await self._store.detach(call.tenant_id, await self._assistant_id(call), await self._tool_id(call))
        return NO_CONTENT

    async def _all(self, tenant_id: str) -> AsyncIterator[Tool]:
        request = PageRequest(limit=_PAGE, order="asc")
        while True:
            page = await self._store.list(tenant_id, request)
            for each in page.items:
                yield each
            if not page.has_more:
                return
            request = PageRequest(limit=_PAGE, order="asc", after=page.items[-1].id)

    async def _tool_id(self, call: Call) -> str:
        return await self._ids.read(call.tenant_id, "tool", call.values["tool_id"])

    async def _assistant_id(self, call: Call) -> str:
        return await self._ids.read(call.tenant_id, "assistant", call.values["assistant_id"])

    async def _listed(self, call: Call, found: Sequence[Tool]) -> Reply:
        ids = await self._ids.shown(call.tenant_id, [named for each in found for named in tools.ids_of_tool(each)])
        return ok({"tools": [tools.tool(each, ids) for each in found]})

    async def _shown(self, call: Call, found: Tool) -> Reply:
        return ok(tools.tool(found, await self._ids.shown(call.tenant_id, tools.ids_of_tool(found))))
