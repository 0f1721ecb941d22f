"""The lease is renewed, whatever else happens in its process: a lease that is lost costs every run that it covers."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest
from engine_world import World
from event_bus import OutgoingRecord, PublishError
from postgres_gate import gate_before
from run_engine.domain.status import RunStatus
from run_engine.errors import DatabaseUnavailable, IllegalMove
from run_engine.lease import LEASE, RENEWAL, Lease, RunKey
from run_engine.process import EngineProcess
from run_engine.store.database import Database
from run_engine.store.liveness import OwnedRun
from run_engine.store.runs import Runs


class Renewals:
    """A liveness row without a database."""

    def __init__(self, *owned: OwnedRun) -> None:
        self.owned = owned
        self.count = 0
        self.faults: list[Exception] = []

    async def register(self) -> None:
        pass

    async def retire(self) -> None:
        pass

    async def renew(self) -> Sequence[OwnedRun]:
        self.count += 1
        if self.faults:
            raise self.faults.pop()
        return self.owned


class Unhelpful:
    """Driven runs that are no help."""

    def __init__(self, *claims: RunKey) -> None:
        self.driven = frozenset(claims)
        self.taken: list[RunKey] = []

    def claims(self) -> frozenset[RunKey]:
        return self.driven

    def taken_away(self, claim: RunKey) -> None:
        self.taken.append(claim)
        raise RuntimeError("surprise")

    def cancel_requested(self, claim: RunKey) -> None:
        raise RuntimeError("surprise")

    def streamed_to(self, claim: RunKey, slots: frozenset[int]) -> None:
        raise RuntimeError("surprise")


class HangingDriving:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def hand_back(self, tenant_id: str, run_id: str, attempt: int) -> None:
        self.asked.append(run_id)
        if run_id == "run_stuck":
            raise RuntimeError("surprise")
        await asyncio.Event().wait()


async def _soon(_: float) -> None:
    await asyncio.sleep(0.002)


async def _renewed(renewals: Renewals, times: int) -> None:
    target = renewals.count + times
    async with asyncio.timeout(10):
        while renewals.count < target:
            await asyncio.sleep(0.002)


async def test_an_error_that_nobody_thought_of_does_not_end_the_lease() -> None:
    renewals = Renewals()
    renewals.faults = [asyncpg.UndefinedTableError("x"), KeyError("x"), DatabaseUnavailable("x")]
    lease = Lease(renewals, None, Unhelpful(), pause=_soon)  # type: ignore[arg-type]
    await lease.start()
    await _renewed(renewals, 5)
    await lease.stop()


async def test_a_run_that_cannot_be_told_keeps_no_other_from_being_told() -> None:
    keys: list[RunKey] = [("t", "run_a", 1), ("t", "run_b", 1)]
    renewals, runs = Renewals(), Unhelpful(*keys)
    lease = Lease(renewals, None, runs, pause=_soon)  # type: ignore[arg-type]
    await lease.start()
    await _renewed(renewals, 2)
    await lease.stop()
    assert set(runs.taken) == set(keys)


async def test_handing_back_never_holds_up_a_renewal() -> None:
    stuck, slow = (OwnedRun("t", run_id, RunStatus.IN_PROGRESS, 1) for run_id in ("run_stuck", "run_slow"))
    renewals, driving = Renewals(stuck, slow), HangingDriving()
    lease = Lease(renewals, driving, Unhelpful(), pause=_soon)  # type: ignore[arg-type]
    await lease.start()
    async with asyncio.timeout(10):
        while "run_slow" not in driving.asked:
            await asyncio.sleep(0.002)
    await _renewed(renewals, 3)
    await lease.stop()
    assert driving.asked.count("run_slow") == 1, "what is being handed back is not handed back again beside it"


class NoPublisher:
    async def publish(self, records: Sequence[OutgoingRecord]) -> list[PublishError | None]:
        return [None] * len(records)


async def test_a_renewal_that_gets_no_answer_is_given_up_while_there_is_time_for_others(
    world: World, store_url: str
) -> None:
    """One connection that a firewall has forgotten is enough for that, and the next one may be fine."""
    async with gate_before(store_url) as gate:
        database = await Database.connect(gate.url, application_name="test", min_size=1, max_size=2)
        process = EngineProcess(database, NoPublisher(), role="test")
        await process.start()
        lease = process._lease
        assert lease is not None
        await lease.renew()
        gate.freeze()
        began = asyncio.get_running_loop().time()
        with pytest.raises(DatabaseUnavailable):
            await lease.renew()
        assert asyncio.get_running_loop().time() - began < LEASE.total_seconds() - 2 * RENEWAL.total_seconds()
        gate.cut()
        gate.open()
        await lease.renew()
        await process.stop()
    rows = await world.sql(
        "SELECT renewed_at < clock_timestamp() - interval '1 day' AS over FROM workers WHERE id = $1", process.worker
    )
    assert [row["over"] for row in rows] == [True]


async def test_a_renewal_does_not_queue_behind_statements_that_wait_for_locks(world: World, store_url: str) -> None:
    database = await Database.connect(store_url, application_name="busy", min_size=1, max_size=2)
    process = EngineProcess(database, NoPublisher(), role="test")
    await process.start()
    run = await world.start_run()
    blocker = await asyncpg.connect(store_url)
    async with blocker.transaction():
        await blocker.execute("SELECT FROM runs WHERE id = $1 FOR UPDATE", run.id)
        runs = Runs(database, process.writer)
        waiting = [asyncio.create_task(runs.cancel(world.tenant, run.thread_id, run.id)) for _ in range(4)]
        lease = process._lease
        assert lease is not None
        async with asyncio.timeout(20):
            while len(await world.sql(_WAITING)) < 2:
                await asyncio.sleep(0.005)
        await lease.renew()
        assert len(await world.sql(_WAITING)) == 2
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(IllegalMove) == 3
    await blocker.close()
    await process.stop()


_WAITING = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'busy' AND wait_event_type = 'Lock'"


async def test_a_process_whose_publishing_will_not_stop_ends_its_lease_all_the_same(
    store_url: str, world: World
) -> None:
    database = await Database.connect(store_url, application_name="test", min_size=1, max_size=2)
    process = EngineProcess(database, NoPublisher(), role="test")
    await process.start()

    async def never(timeout: float = 5.0) -> None:
        await asyncio.Event().wait()

    stop_relay, process.relay.stop = process.relay.stop, never  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await process.stop()
    await stop_relay()
    rows = await world.sql("SELECT isfinite(renewed_at) AS alive FROM workers WHERE id = $1", process.worker)
    assert [row["alive"] for row in rows] == [False]
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
