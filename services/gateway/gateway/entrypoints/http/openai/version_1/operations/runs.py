"""Runs of version 1: create, also with a new thread."""

from gateway.entrypoints.http.exchange import Call, Reply, StreamReply
from gateway.entrypoints.http.openai.operations.runs import RunOperations
from gateway.entrypoints.http.openai.version_1.requests.runs import CreateRun, CreateThreadAndRun
from gateway.entrypoints.http.openai.version_1.translation import call_of_version_2


class RunOperations1(RunOperations):
    """Handlers for `/v1/threads/runs` and `/v1/threads/{thread_id}/runs…`."""

    async def create(self, call: Call) -> Reply | StreamReply:
        """POST /threads/{thread_id}/runs."""
        return await super().create(await call_of_version_2(call, CreateRun))

    async def create_with_thread(self, call: Call) -> Reply | StreamReply:
        """POST /threads/runs."""
        return await super().create_with_thread(await call_of_version_2(call, CreateThreadAndRun))
