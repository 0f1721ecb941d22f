"""Files of messages: list, retrieve. They are attached when the message is made."""

from typing import Any

from run_engine.domain.objects import Message
from run_engine.domain.short_lists import page_of
from run_engine.errors import NotFound

from gateway.application.messages import Messages
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.messages import message_id_of
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.operations.threads import thread_id_of
from gateway.entrypoints.http.openai.presenters import lists, messages
from gateway.entrypoints.http.openai.presenters.words import seconds
from gateway.entrypoints.http.openai.requests.paging import page_request
from gateway.entrypoints.http.openai.version_1.operations.assistant_files import file_id_of
from gateway.entrypoints.http.openai.version_1.presenters import attached_to


class MessageFileOperations:
    """Handlers for `/v1/threads/{thread_id}/messages/{message_id}/files…`."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def list(self, call: Call) -> Reply:
        """GET …/files."""
        request = page_request(call.query, "file")
        message = await self._message(call)
        files = attached_to(messages.message(message))
        page = page_of(files, request, kind="file", id_of=str)
        return ok(lists.page(page, lambda file_id: _shown(file_id, message)))

    async def retrieve(self, call: Call) -> Reply:
        """GET …/files/{file_id}."""
        file_id, message = file_id_of(call), await self._message(call)
        if file_id not in attached_to(messages.message(message)):
            raise NotFound("file", file_id)
        return ok(_shown(file_id, message))

    async def _message(self, call: Call) -> Message:
        return await self._messages.get(call.tenant_id, thread_id_of(call), message_id_of(call))


def _shown(file_id: str, message: Message) -> dict[str, Any]:
    return {
        "id": file_id,
        "object": "thread.message.file",
        "created_at": seconds(message.created_at),
        "message_id": message.id,
    }
