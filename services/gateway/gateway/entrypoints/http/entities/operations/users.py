"""Users: create, retrieve, update, delete; their threads; the assistants that they have."""

from run_engine.domain.drafts import UNSET
from run_engine.domain.objects import User

from gateway.application.conversation_ports import UserStore
from gateway.application.identities import NewIds
from gateway.entrypoints.http.entities.ids import EntityIds
from gateway.entrypoints.http.entities.operations.replies import NO_CONTENT, ok
from gateway.entrypoints.http.entities.presenters import assistants, users
from gateway.entrypoints.http.entities.requests.parsing import parse
from gateway.entrypoints.http.entities.requests.users import CreateUser, UpdateUser
from gateway.entrypoints.http.exchange import Call, Reply


class UserOperations:
    """Handlers for `/users…`."""

    def __init__(self, store: UserStore, ids: EntityIds, new_ids: NewIds) -> None:
        self._store = store
        self._ids = ids
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """POST /users. A body is not needed."""
        body = await parse(call, CreateUser, optional=True)
        return await self._shown(call, await self._store.create(call.tenant_id, body.draft(self._new_ids)))

    async def retrieve(self, call: Call) -> Reply:
        """GET /users/{user_id}."""
        return await self._shown(call, await self._store.get(call.tenant_id, await self._user_id(call)))

    async def update(self, call: Call) -> Reply:
        """PUT /users/{user_id}."""
        user_id = await self._user_id(call)
        body = await parse(call, UpdateUser)
        name = UNSET if body.name is None else body.name
        return await self._shown(call, await self._store.modify(call.tenant_id, user_id, name=name))

    async def delete(self, call: Call) -> Reply:
        """DELETE /users/{user_id}. What the user has said stays."""
        await self._store.delete(call.tenant_id, await self._user_id(call))
        return NO_CONTENT

    async def list_threads(self, call: Call) -> Reply:
        """GET /users/{user_id}/threads: ids, the newest last."""
        found = await self._store.threads_of(call.tenant_id, await self._user_id(call))
        ids = await self._ids.shown(call.tenant_id, [("thread", thread_id) for thread_id in found])
        return ok({"thread_ids": [ids.id("thread", thread_id) for thread_id in found]})

    async def list_assistants(self, call: Call) -> Reply:
        """GET /users/{user_id}/assistants: a bare array."""
        user_id = await self._user_id(call)
        found = await self._store.assistants_of(call.tenant_id, user_id)
        named = [named for each in found for named in assistants.ids_of_assistant(each, user_id)]
        ids = await self._ids.shown(call.tenant_id, named)
        return ok([assistants.assistant(each, ids, user_id) for each in found])

    async def associate_assistant(self, call: Call) -> Reply:
        """POST /users/{user_id}/assistants/{assistant_id}. Again changes nothing."""
        await self._store.attach_assistant(call.tenant_id, await self._user_id(call), await self._assistant_id(call))
        return ok({"message": "Assistant associated with user successfully"})

    async def disassociate_assistant(self, call: Call) -> Reply:
        """DELETE /users/{user_id}/assistants/{assistant_id}. Again changes nothing."""
        await self._store.detach_assistant(call.tenant_id, await self._user_id(call), await self._assistant_id(call))
        return NO_CONTENT

    async def _user_id(self, call: Call) -> str:
        return await self._ids.read(call.tenant_id, "user", call.values["user_id"])

    async def _assistant_id(self, call: Call) -> str:
        return await self._ids.read(call.tenant_id, "assistant", call.values["assistant_id"])

    async def _shown(self, call: Call, found: User) -> Reply:
        return ok(users.user(found, await self._ids.shown(call.tenant_id, users.ids_of_user(found))))
