"""Threads and messages of version 1: create, and modify a thread."""

from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.messages import MessageOperations
from gateway.entrypoints.http.openai.operations.threads import ThreadOperations
from gateway.entrypoints.http.openai.version_1.requests.threads import CreateMessage, CreateThread, ModifyThread
from gateway.entrypoints.http.openai.version_1.translation import call_of_version_2


class ThreadOperations1(ThreadOperations):
    """Handlers for `/v1/threads` and `/v1/threads/{thread_id}`."""

    async def create(self, call: Call) -> Reply:
        """POST /threads."""
        return await super().create(await call_of_version_2(call, CreateThread))

    async def modify(self, call: Call) -> Reply:
        """POST /threads/{thread_id}."""
        return await super().modify(await call_of_version_2(call, ModifyThread))


class MessageOperations1(MessageOperations):
    """Handlers for `/v1/threads/{thread_id}/messages…`."""

    async def create(self, call: Call) -> Reply:
        """POST /threads/{thread_id}/messages."""
        return await super().create(await call_of_version_2(call, CreateMessage))
