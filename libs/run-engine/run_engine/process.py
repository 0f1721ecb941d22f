"""What gateway and orchestrator share of running on the engine: the pool, the relay of their outbox, their lease."""

from uuid import uuid4

from event_bus import Publisher

from run_engine.events import EventContent
from run_engine.lease import RENEWAL, DrivenRuns, Lease, NothingDriven
from run_engine.outbox.publishing import publish_with
from run_engine.outbox.relay import Relay
from run_engine.outbox.rows import OutboxTable
from run_engine.process_names import process_name
from run_engine.store.database import Database
from run_engine.store.driving import Driving
from run_engine.store.liveness import Liveness
from run_engine.store.writer import Writer


class EngineProcess:
    """One process on the engine. Construct it after the database is connected; `start` before the first write.

    `role` is the name of the service, and the source of the events it commits: gateway or run-orchestrator.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        role: str,
        event_content: EventContent = "inline",
    ) -> None:
        self.database = database
        self.worker = process_name(role, uuid4())
        """The name of this process in `workers`."""
        self.relay = Relay(OutboxTable(database), publish_with(publisher, event_content), owner=self.worker)
        self.writer = Writer(self.worker, self.relay.poke)
        # A renewal that gets no answer is given up while the lease still has time for another one.
        self._liveness = Liveness(database.within(RENEWAL.total_seconds()), self.worker, role)
        self._lease: Lease | None = None

    async def start(self, runs: DrivenRuns | None = None, driving: Driving | None = None) -> None:
        """Registers the process, starts to renew its lease and to publish. `runs` are those it drives, if it does."""
        self._lease = Lease(self._liveness, driving, NothingDriven() if runs is None else runs)
        await self._lease.start()
        await self.relay.start()

    async def stop(self) -> None:
        """Publishes what is pending, ends the lease, closes the pool."""
        try:
            await self.relay.stop()
        finally:
            try:
                if self._lease is not None:
                    await self._lease.stop()
            finally:
                await self.database.close()
