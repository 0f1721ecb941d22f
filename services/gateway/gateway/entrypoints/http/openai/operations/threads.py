"""Threads: create, retrieve, modify, delete; and a list of them, which the original never had."""

from gateway.application.attached_files import AttachedFiles
from gateway.application.identities import NewIds
from gateway.application.ports import ThreadStore
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.presenters import lists, threads
from gateway.entrypoints.http.openai.requests.paging import page_request
from gateway.entrypoints.http.openai.requests.parsing import parse
from gateway.entrypoints.http.openai.requests.path_ids import known_form
from gateway.entrypoints.http.openai.requests.searching import wanted_metadata
from gateway.entrypoints.http.openai.requests.threads import CreateThread, ModifyThread


class ThreadOperations:
    """Handlers for `/v1/threads` and `/v1/threads/{thread_id}`."""

    def __init__(self, store: ThreadStore, attached_files: AttachedFiles, new_ids: NewIds) -> None:
        self._store = store
        self._attached_files = attached_files
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """POST /threads."""
        body = await parse(call, CreateThread)
        draft = body.draft(self._new_ids)
        await self._attached_files.require(call.tenant_id, draft.messages)
        return ok(threads.thread(await self._store.create(call.tenant_id, draft)))

    async def list(self, call: Call) -> Reply:
        """GET /threads, of those alone that have all `metadata[key]=value`. The original never had it."""
        request, metadata = page_request(call.query, "thread"), wanted_metadata(call.query)
        return ok(lists.page(await self._store.list(call.tenant_id, request, metadata), threads.thread))

    async def retrieve(self, call: Call) -> Reply:
        """GET /threads/{thread_id}."""
        return ok(threads.thread(await self._store.get(call.tenant_id, thread_id_of(call))))

    async def modify(self, call: Call) -> Reply:
        """POST /threads/{thread_id}."""
        thread_id = thread_id_of(call)
        body = await parse(call, ModifyThread)
        changed = await self._store.modify(
            call.tenant_id, thread_id, metadata=body.new_metadata(), tool_resources=body.new_tool_resources()
        )
        return ok(threads.thread(changed))

    async def delete(self, call: Call) -> Reply:
        """DELETE /threads/{thread_id}."""
        thread_id = thread_id_of(call)
        await self._store.delete(call.tenant_id, thread_id)
        return ok(lists.deleted("thread", thread_id))


def thread_id_of(call: Call) -> str:
    """Return the thread that the path names."""
    return known_form("thread", call.values["thread_id"])
