"""Users' own credentials for tool services, of threads. Sealed: nothing in this process can open them.

Written by the gateway. Nobody reads them here: the database puts them into the calls that it hands out (`emit_event`).
They are no part of a thread as clients see it, nor of an export, and go with it.
"""

from run_engine.errors import NotFound
from run_engine.store.database import Database


class SealedCredentials:
    """One for each thread and service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tenant_id: str, thread_id: str, service: str, sealed: str) -> None:
        """Keep one, `sealed` as `tool-call.requested` carries it, instead of the one before. Raises `NotFound`."""
        row = await self._database.one(
            "put_credential", tenant_id=tenant_id, thread_id=thread_id, service=service, sealed=sealed
        )
        if row is None:
            raise NotFound("thread", thread_id)

    async def forget(self, tenant_id: str, thread_id: str, service: str) -> None:
        """Forget it: calls are the service's own business again."""
        await self._database.all("forget_credential", tenant_id=tenant_id, thread_id=thread_id, service=service)
