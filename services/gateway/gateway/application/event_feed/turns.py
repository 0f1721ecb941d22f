"""How many subscribers catch up at once: each of them has a reader of its own meanwhile. Used by `reading`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

AT_ONCE: Final = 16
"""Readers of one process. After a restart of a gateway all of its subscribers come back at once; each reads for some
hundred milliseconds."""
OF_ONE_TENANT: Final = 8
"""Of these, for one tenant: whoever reads a week of events slowly keeps out nobody else."""


class Turns:
    """Gives turns in the order in which they are asked for, within each tenant."""

    def __init__(self, at_once: int = AT_ONCE, of_one_tenant: int = OF_ONE_TENANT) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._of_one_tenant = of_one_tenant
        self._tenants: dict[str, asyncio.Semaphore] = {}
        self._interested: dict[str, int] = {}

    @asynccontextmanager
    async def turn(self, tenant_id: str) -> AsyncGenerator[None, None]:
        """Wait for a turn, and have it as long as the context lasts."""
        own = self._tenants.setdefault(tenant_id, asyncio.Semaphore(self._of_one_tenant))
        self._interested[tenant_id] = self._interested.get(tenant_id, 0) + 1
        try:
            async with own, self._all:
                yield
        finally:
            self._interested[tenant_id] -= 1
            if not self._interested[tenant_id]:
                del self._interested[tenant_id], self._tenants[tenant_id]
