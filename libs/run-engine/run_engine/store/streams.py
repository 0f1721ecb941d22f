"""What streams read and write: the stored events of runs, who streams them, and the slots of the gateways.

Text is not here: deltas go straight from the orchestrator to the gateways' slots.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from run_engine.domain.status import RunStatus
from run_engine.store.database import Database


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event of a run, as it was committed. `data` is the message's data by contract."""

    tenant_id: str
    run_id: str
    seq: int
    type: str
    subject: str
    data: Mapping[str, Any]
    created_at: datetime


class RunState(NamedTuple):
    """Where a run stands."""

    seq: int
    status: RunStatus


class Streams:
    """The events of runs, and the slots they are streamed to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(self, tenant_id: str, run_id: str, after: int = 0) -> Sequence[StoredEvent]:
        """The events of one run with a seq above `after`, in order."""
        return await self.news([(tenant_id, run_id, after)])

    async def news(self, positions: Sequence[tuple[str, str, int]]) -> Sequence[StoredEvent]:
        """The events of many runs that follow (tenant id, run id, last seen seq), each run's in order."""
        found = await self._database.all(
            "run_events_after",
            tenant_ids=[tenant_id for tenant_id, _, _ in positions],
            run_ids=[run_id for _, run_id, _ in positions],
            seqs=[seq for _, _, seq in positions],
        )
        return [
            StoredEvent(
                row["tenant_id"],
                row["run_id"],
                row["seq"],
                row["type"],
                row["subject"],
                row["data"],
                row["created_at"],
            )
            for row in found
        ]

    async def states(self, runs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], RunState]:
        """Where runs, (tenant id, run id), stand; those that are gone are not in it."""
        found = await self._database.all(
            "run_states",
            tenant_ids=[tenant_id for tenant_id, _ in runs],
            run_ids=[run_id for _, run_id in runs],
        )
        return {(row["tenant_id"], row["id"]): RunState(row["seq"], RunStatus(row["status"])) for row in found}

    async def add_slot(self, tenant_id: str, run_id: str, slot: int) -> None:
        """Has deltas of an unfinished run sent to a slot, from its worker's next renewal on. Again changes nothing.

        A number of `domain.stream_slots` has news of it alone sent there.
        """
        await self._database.all("add_stream_slot", tenant_id=tenant_id, run_id=run_id, slot=slot)

    async def add_slots(self, slot: int, runs: Sequence[tuple[str, str]]) -> None:
        """Has deltas or news of many runs, (tenant id, run id), sent to a slot, as `add_slot`."""
        await self._database.all(
            "add_stream_slots",
            slot=slot,
            tenant_ids=[tenant_id for tenant_id, _ in runs],
            run_ids=[run_id for _, run_id in runs],
        )


class Slots:
    """The slot of one gateway. It is leased by the gateway's liveness row: a slot of a dead process is free."""

    def __init__(self, database: Database, worker: str, lease: timedelta) -> None:
        self._database = database
        self._worker = worker
        self._lease = lease

    async def take(self) -> int | None:
        """Leases a free slot; None while all are taken. The process must be registered."""
        row = await self._database.one("take_stream_slot", worker=self._worker, lease=self._lease)
        return None if row is None else int(row["slot"])

    async def keep(self, slot: int) -> bool:
        """Whether the slot is still this process's."""
        return await self._database.one("keep_stream_slot", worker=self._worker, slot=slot) is not None

    async def release(self, slot: int) -> None:
        """Gives the slot back."""
        await self._database.all("release_stream_slot", worker=self._worker, slot=slot)
