"""Threads as clients make them: with the credentials that came along. All else is the store's. Built by `bootstrap`."""

from run_engine.domain.drafts import UNSET, NewThread, Page, PageRequest, Unset
from run_engine.domain.objects import Json, Metadata, Thread

from gateway.application.credentials import Credentials
from gateway.application.ports import ThreadStore


class Threads:
    """A `ThreadStore`. `create` also raises what `Credentials.along` raises."""

    def __init__(self, threads: ThreadStore, credentials: Credentials) -> None:
        self._threads = threads
        self._credentials = credentials

    async def create(self, tenant_id: str, draft: NewThread) -> Thread:
        """Store a thread with its first messages."""
        return await self._credentials.along(tenant_id, draft.id, lambda: self._threads.create(tenant_id, draft))

    async def get(self, tenant_id: str, thread_id: str) -> Thread:
        """Read one."""
        return await self._threads.get(tenant_id, thread_id)

    async def modify(
        self,
        tenant_id: str,
        thread_id: str,
        *,
        metadata: Metadata | Unset | None = UNSET,
        tool_resources: Json | Unset | None = UNSET,
        title: str | Unset | None = UNSET,
        assistant_id: str | Unset | None = UNSET,
    ) -> Thread:
        """Change the given fields."""
        return await self._threads.modify(
            tenant_id,
            thread_id,
            metadata=metadata,
            tool_resources=tool_resources,
            title=title,
            assistant_id=assistant_id,
        )

    async def list(self, tenant_id: str, request: PageRequest, metadata: Metadata | None = None) -> Page[Thread]:
        """Read one page."""
        return await self._threads.list(tenant_id, request, metadata)

    async def delete(self, tenant_id: str, thread_id: str) -> None:
        """Delete a thread and all that is in it."""
        await self._threads.delete(tenant_id, thread_id)
