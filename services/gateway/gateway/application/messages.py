"""Messages as clients see them: a missing thread is named before a missing message."""

from run_engine.domain.drafts import NewMessage, Page, PageRequest
from run_engine.domain.objects import Message, Metadata
from run_engine.errors import NotFound

from gateway.application.credentials import Credentials
from gateway.application.ports import MessageStore, ThreadStore


class Messages:
    """Add, read, change, delete and list messages. Raises what `MessageStore` raises.

    The credentials that came with a request are taken along by the message that it adds (`Credentials.along`).
    """

    def __init__(self, messages: MessageStore, threads: ThreadStore, credentials: Credentials | None = None) -> None:
        self._messages = messages
        self._threads = threads
        self._credentials = credentials

    async def create(self, tenant_id: str, thread_id: str, draft: NewMessage, *, in_turn: bool = False) -> Message:
        """Add a message, `in_turn` only where it may follow what was said."""
        if self._credentials is None:
            return await self._messages.create(tenant_id, thread_id, draft, in_turn=in_turn)
        return await self._credentials.along(
            tenant_id, thread_id, lambda: self._messages.create(tenant_id, thread_id, draft, in_turn=in_turn)
        )

    async def get(self, tenant_id: str, thread_id: str, message_id: str) -> Message:
        """Read one."""
        try:
            return await self._messages.get(tenant_id, thread_id, message_id)
        except NotFound:
            await self._threads.get(tenant_id, thread_id)
            raise

    async def modify(self, tenant_id: str, thread_id: str, message_id: str, metadata: Metadata | None) -> Message:
        """Change the metadata."""
        try:
            return await self._messages.modify(tenant_id, thread_id, message_id, metadata)
        except NotFound:
            await self._threads.get(tenant_id, thread_id)
            raise

    async def delete(self, tenant_id: str, thread_id: str, message_id: str) -> None:
        """Delete one."""
        await self._messages.delete(tenant_id, thread_id, message_id)

    async def list(self, tenant_id: str, thread_id: str, request: PageRequest, run_id: str | None) -> Page[Message]:
        """Read one page."""
        try:
            return await self._messages.list(tenant_id, thread_id, request, run_id)
        except NotFound:
            await self._threads.get(tenant_id, thread_id)
            raise
