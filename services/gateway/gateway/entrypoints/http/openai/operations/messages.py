"""Messages: create, retrieve, modify, list, delete."""

from run_engine.errors import ThreadBusy

from gateway.application.attached_files import AttachedFiles
from gateway.application.identities import NewIds
from gateway.application.messages import Messages
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.operations.threads import thread_id_of
from gateway.entrypoints.http.openai.presenters import lists, messages
from gateway.entrypoints.http.openai.refusals import deletion_on_busy_thread, message_on_busy_thread
from gateway.entrypoints.http.openai.requests.messages import CreateMessage, ModifyMessage
from gateway.entrypoints.http.openai.requests.paging import page_request, parameters
from gateway.entrypoints.http.openai.requests.parsing import parse
from gateway.entrypoints.http.openai.requests.path_ids import known_form


class MessageOperations:
    """Handlers for `/v1/threads/{thread_id}/messages…`."""

    def __init__(self, messages: Messages, attached_files: AttachedFiles, new_ids: NewIds) -> None:
        self._messages = messages
        self._attached_files = attached_files
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """POST /threads/{thread_id}/messages."""
        thread_id = thread_id_of(call)
        body = await parse(call, CreateMessage)
        draft = body.draft(self._new_ids)
        await self._attached_files.require(call.tenant_id, [draft])
        try:
            added = await self._messages.create(call.tenant_id, thread_id, draft)
        except ThreadBusy as busy:
            raise message_on_busy_thread(busy) from None
        return ok(messages.message(added))

    async def list(self, call: Call) -> Reply:
        """GET /threads/{thread_id}/messages, of one run alone with `run_id`."""
        thread_id = thread_id_of(call)
        request = page_request(call.query, "message")
        run_id = parameters(call.query).get("run_id") if call.query else None
        if run_id is not None:
            run_id = known_form("run", run_id)
        return ok(lists.page(await self._messages.list(call.tenant_id, thread_id, request, run_id), messages.message))

    async def retrieve(self, call: Call) -> Reply:
        """GET /threads/{thread_id}/messages/{message_id}."""
        return ok(messages.message(await self._messages.get(call.tenant_id, thread_id_of(call), message_id_of(call))))

    async def modify(self, call: Call) -> Reply:
        """POST /threads/{thread_id}/messages/{message_id}."""
        thread_id, message_id = thread_id_of(call), message_id_of(call)
        body = await parse(call, ModifyMessage)
        if "metadata" not in body.model_fields_set:
            return ok(messages.message(await self._messages.get(call.tenant_id, thread_id, message_id)))
        return ok(messages.message(await self._messages.modify(call.tenant_id, thread_id, message_id, body.metadata)))

    async def delete(self, call: Call) -> Reply:
        """DELETE /threads/{thread_id}/messages/{message_id}. Not while a run is active: it reads the thread."""
        message_id = message_id_of(call)
        try:
            await self._messages.delete(call.tenant_id, thread_id_of(call), message_id)
        except ThreadBusy as busy:
            raise deletion_on_busy_thread(busy) from None
        return ok(lists.deleted("thread.message", message_id))


def message_id_of(call: Call) -> str:
    """Return the message that the path names."""
    return known_form("message", call.values["message_id"])
