"""Messages of a thread, those of tools included."""

from collections.abc import Sequence
from dataclasses import replace

import orjson
from run_engine.domain.drafts import PageRequest
from run_engine.errors import NotFound

from gateway.application.answering import Answering, OverviewStore
from gateway.application.exchanges import Exchanges, Said
from gateway.application.identities import NewIds
from gateway.entrypoints.http.agents import presenters
from gateway.entrypoints.http.agents.ids import AgentIds
from gateway.entrypoints.http.agents.requests import (
    MOST_BYTES,
    MOST_LISTED,
    CreateMessage,
    limit_of,
    order_of,
    parameters,
    parse,
)
from gateway.entrypoints.http.exchange import Call, Reply


class MessageOperations:
    """The operations on messages."""

    def __init__(
        self, exchanges: Exchanges, answering: Answering, overviews: OverviewStore, ids: AgentIds, new_ids: NewIds
    ) -> None:
        self._exchanges = exchanges
        self._answering = answering
        self._overviews = overviews
        self._ids = ids
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """Add a message. A user's is sent by the thread's user."""
        thread_id = await self._ids.read(call.tenant_id, "thread", call.values["thread_id"])
        asked = await parse(call, CreateMessage)
        found = await self._overviews.threads(call.tenant_id, [thread_id])
        if not found:
            raise NotFound("thread", thread_id)
        draft = asked.draft(self._new_ids, found[0].user_id)
        said = await self._exchanges.add(call.tenant_id, thread_id, draft)
        ids = await self._ids.shown(call.tenant_id, presenters.ids_of_said(said))
        return Reply(200, orjson.dumps(presenters.message(said, ids)))

    async def list(self, call: Call) -> Reply:
        """Show what was said, from the beginning where nothing else is asked for."""
        thread_id = await self._ids.read(call.tenant_id, "thread", call.values["thread_id"])
        given = parameters(call.query)
        limit, order = limit_of(given, MOST_LISTED), order_of(given, "asc")
        said = await self._page(call, thread_id, PageRequest(limit=limit, order=order, most_bytes=MOST_BYTES), given)
        ids = await self._ids.shown(call.tenant_id, [named for each in said for named in presenters.ids_of_said(each)])
        by = {each.message.assistant_id for each in said}
        assistants = {each: await self._answering.facts_of(call.tenant_id, each) for each in by}
        shown = [presenters.message(each, ids, assistants[each.message.assistant_id]) for each in said]
        return Reply(200, orjson.dumps(shown))

    async def _page(self, call: Call, thread_id: str, request: PageRequest, given: dict[str, str]) -> Sequence[Said]:
        after = given.get("after")
        if after is None:
            return await self._exchanges.list(call.tenant_id, thread_id, request)
        # It may be the id of a message, of a call with its output, or of a step that asks for calls.
        for kind in ("message", "tool_call", "step"):
            cursor = await self._ids.read(call.tenant_id, kind, after)
            try:
                return await self._exchanges.list(call.tenant_id, thread_id, replace(request, after=cursor))
            except NotFound as missing:
                if missing.kind != "message":
                    raise
        raise NotFound("message", after)
