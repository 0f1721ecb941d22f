"""Threads: made for an assistant and a user, read, listed, deleted."""

import orjson
from run_engine.domain.drafts import NewThread, NewUser, PageRequest
from run_engine.errors import NotFound
from run_engine.store.overviews import ThreadOverview

from gateway.application.answering import OverviewStore
from gateway.application.conversation_ports import UserStore
from gateway.application.identities import NewIds
from gateway.application.ports import ThreadStore
from gateway.entrypoints.http.agents import presenters
from gateway.entrypoints.http.agents.ids import AgentIds
from gateway.entrypoints.http.agents.requests import CreateThread, limit_of, order_of, parameters, parse
from gateway.entrypoints.http.exchange import Call, Reply


class ThreadOperations:
    """The operations on threads themselves."""

    def __init__(
        self, threads: ThreadStore, users: UserStore, overviews: OverviewStore, ids: AgentIds, new_ids: NewIds
    ) -> None:
        self._threads = threads
        self._users = users
        self._overviews = overviews
        self._ids = ids
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """Make a thread. A user who is not known yet is made with it."""
        asked = await parse(call, CreateThread)
        assistant_id = await self._ids.read(call.tenant_id, "assistant", asked.assistant_id)
        participants = []
        if asked.user_id is not None:
            user_id = await self._ids.read_user(call.tenant_id, asked.user_id)
            await self._users.ensure(call.tenant_id, NewUser(id=user_id))
            participants.append(user_id)
        draft = NewThread(
            id=self._new_ids.thread(), title=asked.title, assistant_id=assistant_id, participants=participants
        )
        made = await self._threads.create(call.tenant_id, draft)
        user = participants[0] if participants else None
        return await self._reply(call, ThreadOverview(thread=made, user_id=user, last_said_at=made.created_at))

    async def retrieve(self, call: Call) -> Reply:
        """Show a thread."""
        thread_id = await self._ids.read(call.tenant_id, "thread", call.values["thread_id"])
        found = await self._overviews.threads(call.tenant_id, [thread_id])
        if not found:
            raise NotFound("thread", thread_id)
        return await self._reply(call, found[0])

    async def list(self, call: Call) -> Reply:
        """Show threads, of one user or of all, the newest first."""
        given = parameters(call.query)
        limit, order, after = limit_of(given, 20), order_of(given, "desc"), given.get("after")
        after = None if after is None else await self._ids.read(call.tenant_id, "thread", after)
        if "user_id" in given:
            user_id = await self._ids.read_user(call.tenant_id, given["user_id"])
            thread_ids = list(await self._users.threads_of(call.tenant_id, user_id))
            if order == "desc":
                thread_ids.reverse()
            if after is not None:
                if after not in thread_ids:
                    raise NotFound("thread", after)
                thread_ids = thread_ids[thread_ids.index(after) + 1 :]
            thread_ids = thread_ids[:limit]
        else:
            page = await self._threads.list(call.tenant_id, PageRequest(limit=limit, order=order, after=after))
            thread_ids = [thread.id for thread in page.items]
        found = await self._overviews.threads(call.tenant_id, thread_ids)
        ids = await self._ids.shown(
            call.tenant_id, [named for each in found for named in presenters.ids_of_thread(each)]
        )
        return Reply(200, orjson.dumps([presenters.thread(each, call.tenant_id, ids) for each in found]))

    async def delete(self, call: Call) -> Reply:
        """Delete a thread with all that is in it. A run in it is cancelled."""
        await self._threads.delete(
            call.tenant_id, await self._ids.read(call.tenant_id, "thread", call.values["thread_id"])
        )
        return Reply(204, b"")

    async def _reply(self, call: Call, seen: ThreadOverview) -> Reply:
        ids = await self._ids.shown(call.tenant_id, presenters.ids_of_thread(seen))
        return Reply(200, orjson.dumps(presenters.thread(seen, call.tenant_id, ids)))
