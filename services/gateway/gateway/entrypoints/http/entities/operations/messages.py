"""Messages: create, retrieve, list; what assistants and tools have said."""

from contextlib import suppress

from run_engine.domain.drafts import NewMessage
from run_engine.domain.objects import Message
from run_engine.errors import NotFound

from gateway.application.conversation_ports import ConversationStore
from gateway.application.identities import NewIds
from gateway.application.messages import Messages
from gateway.entrypoints.http.entities.ids import EntityIds
from gateway.entrypoints.http.entities.operations.replies import ok
from gateway.entrypoints.http.entities.presenters import messages
from gateway.entrypoints.http.entities.refusals import Refusal
from gateway.entrypoints.http.entities.requests.messages import AddToolMessage, CreateMessage, SaveAssistantMessage
from gateway.entrypoints.http.entities.requests.parsing import parse
from gateway.entrypoints.http.entities.requests.querying import page_request
from gateway.entrypoints.http.exchange import Call, Reply


class MessageOperations:
    """Handlers for `/messages…` and for the messages of a thread."""

    def __init__(
        self,
        messages: Messages,
        conversations: ConversationStore,
        ids: EntityIds,
        new_ids: NewIds,
    ) -> None:
        self._messages = messages
        self._conversations = conversations
        self._ids = ids
        self._new_ids = new_ids

    async def create(self, call: Call) -> Reply:
        """POST /messages."""
        body = await parse(call, CreateMessage)
        thread_id = await self._ids.read(call.tenant_id, "thread", body.thread_id)
        try:
            sender = body.sender
            sender_id = None if sender is None else await self._ids.read(call.tenant_id, "user", sender)
            return await self._add(call, thread_id, body.draft(self._new_ids, sender_id))
        except NotFound as missing:
            if missing.kind == "user":
                raise Refusal(404, "Sender not found") from None
            raise

    async def save_assistant_message(self, call: Call) -> Reply:
        """POST /messages/assistant: what an assistant has said elsewhere."""
        body = await parse(call, SaveAssistantMessage)
        thread_id = await self._ids.read(call.tenant_id, "thread", body.thread_id)
        return await self._add(call, thread_id, body.draft(self._new_ids))

    async def add_tool_message(self, call: Call) -> Reply:
        """POST /messages/{message_id}/tool: what a tool has said, in the thread of the message."""
        body = await parse(call, AddToolMessage)
        try:
            before = await self._find(call)
        except NotFound:
            raise Refusal(404, "Existing message not found") from None
        return await self._add(call, before.thread_id, body.draft(self._new_ids))

    async def retrieve(self, call: Call) -> Reply:
        """GET /messages/{message_id}."""
        return await self._shown(call, await self._find(call))

    async def list(self, call: Call) -> Reply:
        """GET /threads/{thread_id}/messages: a bare array."""
        request = page_request(call.query)
        thread_id = await self._ids.read(call.tenant_id, "thread", call.values["thread_id"])
        page = await self._conversations.list(call.tenant_id, thread_id, request)
        named = [named for each in page.items for named in messages.ids_of_message(each)]
        ids = await self._ids.shown(call.tenant_id, named)
        return ok([messages.message(each, ids) for each in page.items])

    async def _find(self, call: Call) -> Message:
        *others, last = await self._ids.read_said(call.tenant_id, call.values["message_id"])
        for said_id in others:
            with suppress(NotFound):
                return await self._conversations.get(call.tenant_id, said_id)
        return await self._conversations.get(call.tenant_id, last)

    async def _add(self, call: Call, thread_id: str, draft: NewMessage) -> Reply:
        return await self._shown(call, await self._messages.create(call.tenant_id, thread_id, draft))

    async def _shown(self, call: Call, found: Message) -> Reply:
        return ok(messages.message(found, await self._ids.shown(call.tenant_id, messages.ids_of_message(found))))
