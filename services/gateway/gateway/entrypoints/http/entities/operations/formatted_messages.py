"""A thread as chat completions take it, for apps that ask a model themselves."""

from contextlib import suppress
from typing import Final

from run_engine.domain.drafts import PageRequest
from run_engine.errors import NotFound

from gateway.application.conversation_ports import ConversationStore
from gateway.application.ports import AssistantStore, ThreadStore
from gateway.entrypoints.http.entities.ids import EntityIds
from gateway.entrypoints.http.entities.operations.replies import ok
from gateway.entrypoints.http.entities.presenters import messages
from gateway.entrypoints.http.entities.requests.querying import MOST, MOST_BYTES
from gateway.entrypoints.http.exchange import Call, Reply

SYSTEM_MESSAGE: Final = "Be as kind, intelligent, and helpful"
"""How the original began every such list; its client puts a system message of its own in the place."""

_NEWEST: Final = PageRequest(limit=MOST, order="desc", most_bytes=MOST_BYTES)


class FormattedMessages:
    """Handler for `/threads/{thread_id}/formatted_messages`."""

    def __init__(
        self, conversations: ConversationStore, threads: ThreadStore, assistants: AssistantStore, ids: EntityIds
    ) -> None:
        self._conversations = conversations
        self._threads = threads
        self._assistants = assistants
        self._ids = ids

    async def list(self, call: Call) -> Reply:
        """GET: a bare array of a system message and the newest messages, in order."""
        thread_id = await self._ids.read(call.tenant_id, "thread", call.values["thread_id"])
        page = await self._conversations.list(call.tenant_id, thread_id, _NEWEST)
        system = {"role": "system", "content": await self._instructions(call.tenant_id, thread_id)}
        return ok([system, *(messages.formatted(each) for each in reversed(page.items))])

    async def _instructions(self, tenant_id: str, thread_id: str) -> str:
        """Return the instructions of the thread's assistant; the original's sentence where there are none."""
        thread = await self._threads.get(tenant_id, thread_id)
        if thread.assistant_id is not None:
            with suppress(NotFound):
                assistant = await self._assistants.get(tenant_id, thread.assistant_id)
                return assistant.instructions or SYSTEM_MESSAGE
        return SYSTEM_MESSAGE
