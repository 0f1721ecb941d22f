"""The lease: what a renewal means for the runs of a process."""

import asyncio

from engine_world import World
from run_engine.domain.status import RunStatus
from run_engine.lease import Lease, Report, RunKey, compare
from run_engine.store.streams import Streams

A: RunKey = ("t", "run_a", 1)
B: RunKey = ("t", "run_b", 1)
NONE: frozenset[RunKey] = frozenset()


def _compare(
    owned: set[RunKey],
    before: set[RunKey],
    now: set[RunKey],
    cancelling: frozenset[RunKey] = NONE,
    seen: frozenset[RunKey] = NONE,
) -> Report:
    return compare(frozenset(owned), cancelling, frozenset(before), frozenset(now), seen)


def test_a_run_that_is_reported_and_driven_goes_on() -> None:
    assert _compare({A}, {A}, {A}) == Report(NONE, NONE, NONE, NONE)


def test_a_driven_run_that_is_not_reported_was_taken_away() -> None:
    assert _compare(set(), {A}, {A}).taken_away == {A}


def test_a_claim_that_returned_after_the_renewal_was_sent_is_not_judged_by_it() -> None:
    assert _compare(set(), set(), {A}).taken_away == NONE


def test_a_run_that_ended_during_the_renewal_is_no_stranger() -> None:
    report = _compare({A}, {A}, set())
    assert report.taken_away == NONE
    assert report.seen_unknown == NONE


def test_a_run_that_is_claimed_again_is_another_claim() -> None:
    again: RunKey = ("t", "run_a", 2)
    assert _compare({again}, {A}, {A}).taken_away == {A}


def test_a_stranger_is_handed_back_at_the_second_report_only() -> None:
    first = _compare({A}, set(), set())
    assert (first.unknown, first.seen_unknown) == (NONE, {A})
    assert _compare({A}, set(), set(), seen=first.seen_unknown).unknown == {A}
    assert _compare({A}, set(), {A}, seen=first.seen_unknown).unknown == NONE, "its claim returned meanwhile"


def test_a_cancellation_reaches_only_runs_that_are_driven_here() -> None:
    assert _compare({A, B}, {A}, {A}, cancelling=frozenset({A, B})).cancelling == {A}


class Driver:
    def __init__(self, *claims: RunKey) -> None:
        self.driven = set(claims)
        self.heard: list[tuple[str, RunKey]] = []

    def claims(self) -> frozenset[RunKey]:
        return frozenset(self.driven)

    def taken_away(self, claim: RunKey) -> None:
        self.heard.append(("taken away", claim))

    def cancel_requested(self, claim: RunKey) -> None:
        self.heard.append(("cancel", claim))

    def streamed_to(self, claim: RunKey, slots: frozenset[int]) -> None:
        if slots:
            self.heard.append((f"stream to {sorted(slots)}", claim))


async def test_a_cancellation_is_heard_at_the_next_renewal(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    key = (world.tenant, run.id, run.attempt)
    driver = Driver(key)
    lease = Lease(worker.liveness, worker.driving, driver)
    await lease.renew()
    assert driver.heard == []
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    await lease.renew()
    assert driver.heard == [("cancel", key)]


async def test_a_new_reader_is_heard_of_at_the_next_renewal(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    key = (world.tenant, run.id, run.attempt)
    driver = Driver(key)
    await Streams(world.database).add_slot(world.tenant, run.id, 6)
    await Lease(worker.liveness, worker.driving, driver).renew()
    assert driver.heard == [("stream to [6]", key)]


async def test_an_expired_or_deleted_run_is_taken_away(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    key = (world.tenant, run.id, run.attempt)
    driver = Driver(key)
    await world.gateway.threads.delete(world.tenant, run.thread_id)
    await Lease(worker.liveness, worker.driving, driver).renew()
    assert driver.heard == [("taken away", key)]


async def test_a_claim_whose_reply_was_lost_is_handed_back(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    lease = Lease(worker.liveness, worker.driving, Driver())
    await lease.renew()
    assert (await world.read(run)).status is RunStatus.IN_PROGRESS
    await lease.renew()
    async with asyncio.timeout(10):
        while (await world.read(run)).status is not RunStatus.QUEUED:
            await asyncio.sleep(0.005)


async def test_a_pruned_process_registers_again(world: World) -> None:
    worker = await world.live_worker()
    await world.sql("DELETE FROM workers WHERE id = $1", worker.name)
    assert await worker.liveness.renew() == []
    assert len(await world.sql("SELECT 1 FROM workers WHERE id = $1", worker.name)) == 1


async def test_stopping_ends_the_lease_at_once(world: World) -> None:
    worker = world.worker("orchestrator")
    lease = Lease(worker.liveness, worker.driving, Driver())
    await lease.start()
    await lease.stop()
    rows = await world.sql(
        "SELECT renewed_at < clock_timestamp() - interval '1 day' AS over FROM workers WHERE id = $1", worker.name
    )
    assert [row["over"] for row in rows] == [True]
