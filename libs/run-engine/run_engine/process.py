"""What gateway and orchestrator share of running on the engine: the pool, the relay of their outbox, their lease."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

from event_bus import Publisher
from observability import Meters

from run_engine.events import EventContent
from run_engine.lease import RENEWAL, DrivenRuns, Lease, NothingDriven
from run_engine.outbox.metrics import show_relay
from run_engine.outbox.publishing import publish_with
from run_engine.outbox.relay import Relay
from run_engine.outbox.rows import OutboxTable
from run_engine.outbox.waking import Waker
from run_engine.process_names import process_name
from run_engine.store.database import Database
from run_engine.store.driving import Driving
from run_engine.store.liveness import Liveness
from run_engine.store.metrics import show_store
from run_engine.store.opening import once_it_answers
from run_engine.store.writer import Writer


class EngineProcess:
    """One process on the engine. Construct it after the database is connected; `start` before the first write.

    `role` is the name of the service, and the source of the events it commits: gateway or run-orchestrator. With a
    `stream_publisher`, runs that it starts for a stream are woken ahead of their events. Its metrics are in `meters`.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        role: str,
        event_content: EventContent = "inline",
        stream_publisher: Publisher | None = None,
        meters: Meters | None = None,
    ) -> None:
        self.database = database
        self.worker = process_name(role, uuid4())
        """The name of this process in `workers`."""
        self.relay = Relay(OutboxTable(database), publish_with(publisher, event_content), owner=self.worker)
        if meters is not None:
            show_store(database, meters)
            show_relay(self.relay, meters)
        waker = None if stream_publisher is None else Waker(stream_publisher, self.worker)
        wake = None if waker is None else waker.wake
        self.writer = Writer(self.worker, self.relay.poke, wake, self.relay.poke_within)
        self._role = role
        self._lease: Lease | None = None
        self._lease_database: Database | None = None

    async def start(self, runs: DrivenRuns | None = None, driving: Driving | None = None) -> None:
        """Registers the process, starts to renew its lease and to publish. `runs` are those it drives, if it does."""
        # A renewal must not queue behind statements that wait for locks, and is given up while there is time for the
        # next one: so it has a connection of its own.
        self._lease_database = await once_it_answers(lambda: self.database.apart(RENEWAL.total_seconds()))
        liveness = Liveness(self._lease_database, self.worker, self._role)
        self._lease = Lease(liveness, driving, NothingDriven() if runs is None else runs)
        await self._lease.start()
        await self.relay.start()

    async def stop(self) -> None:
        """Publishes what is pending, ends the lease, closes the connections."""
        async with AsyncExitStack() as ending:
            ending.push_async_callback(self._close)
            if self._lease is not None:
                ending.push_async_callback(self._lease.stop)
            ending.push_async_callback(self.relay.stop)

    async def _close(self) -> None:
        databases = [self.database, self._lease_database]
        await asyncio.gather(*(database.close() for database in databases if database is not None))
