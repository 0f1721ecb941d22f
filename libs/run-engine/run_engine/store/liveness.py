"""The liveness row of a process."""

from collections.abc import Sequence
from dataclasses import dataclass

from run_engine.domain.status import RunStatus
from run_engine.store.database import Database


@dataclass(frozen=True, slots=True)
class OwnedRun:
    """A run as a renewal reports it to the process that owns it."""

    tenant_id: str
    run_id: str
    status: RunStatus
    attempt: int
    stream_slots: frozenset[int] = frozenset()
    """The slots of the gateways that stream it."""


class Liveness:
    """Register, renew and retire one process."""

    def __init__(self, database: Database, worker: str, role: str) -> None:
        self._database = database
        self._worker = worker
        self._role = role

    async def register(self) -> None:
        """Makes the row; the lease runs from now."""
        await self._database.all("register_worker", worker=self._worker, role=self._role)

    async def renew(self) -> Sequence[OwnedRun]:
        """Renews the lease and returns the runs that this process owns, as of the statement's snapshot."""
        found = await self._database.all("renew_worker", worker=self._worker)
        if not found:
            await self.register()
            return []
        return [
            OwnedRun(
                row["tenant_id"],
                row["run_id"],
                RunStatus(row["status"]),
                row["attempt"],
                frozenset(row["stream_slots"]),
            )
            for row in found
            if row["run_id"] is not None
        ]

    async def retire(self) -> None:
        """Ends the lease at once: others take over what is left."""
        await self._database.all("retire_worker", worker=self._worker)
