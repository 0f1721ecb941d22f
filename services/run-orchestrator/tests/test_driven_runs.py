"""Runs in tasks of their own: how they end, and how they are interrupted."""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import pytest
from run_engine.domain.objects import Run
from run_orchestrator.application.driven_runs import DrivenRun, DrivenRuns, Interruption


@dataclass
class FakeRun:
    id: str = "run_1"
    tenant_id: str = "t"
    attempt: int = 1
    seq: int = 2
    stream_slots: frozenset[int] = frozenset()


def a_run(number: int = 1, attempt: int = 1) -> Run:
    return cast(Run, FakeRun(f"run_{number}", attempt=attempt))


class Recorder:
    """A driver whose work waits until it is released, and which notes what became of it."""

    def __init__(self) -> None:
        self.working = asyncio.Event()
        self.released = asyncio.Event()
        self.cleaned_up = asyncio.Event()
        self.outcomes: list[tuple[Any, Interruption | None]] = []
        self.ended = 0

    async def drive(self, driven: DrivenRun) -> None:
        result = await driven.until_interrupted(self._work())
        self.outcomes.append((result, driven.interruption))

    async def _work(self) -> str:
        self.working.set()
        try:
            await self.released.wait()
            return "done"
        finally:
            # As closing a stream does: an await in the clean-up.
            await asyncio.sleep(0)
            self.cleaned_up.set()

    def count(self) -> None:
        self.ended += 1


KEY = ("t", "run_1", 1)


async def test_a_run_that_ends_is_not_driven_any_more() -> None:
    runs, recorder = DrivenRuns(lambda log: None), Recorder()
    runs.start(a_run(), recorder.drive, recorder.count)
    assert runs.claims() == {KEY}
    recorder.released.set()
    await runs.drain(10)
    assert runs.claims() == frozenset()
    assert recorder.outcomes == [("done", None)]
    assert recorder.ended == 1


@pytest.mark.parametrize(
    ("interrupt", "expected"),
    [
        (lambda runs: runs.taken_away(KEY), Interruption.TAKEN_AWAY),
        (lambda runs: runs.cancel_requested(KEY), Interruption.CANCELLED),
        (lambda runs: runs.cancel("t", "run_1"), Interruption.CANCELLED),
    ],
)
async def test_an_interrupted_run_stops_and_has_cleaned_up(interrupt: Any, expected: Interruption) -> None:
    runs, recorder = DrivenRuns(lambda log: None), Recorder()
    runs.start(a_run(), recorder.drive, recorder.count)
    await recorder.working.wait()
    interrupt(runs)
    await runs.drain(10)
    assert recorder.outcomes == [(None, expected)]
    assert recorder.cleaned_up.is_set()
    assert recorder.ended == 1


async def test_a_run_that_is_interrupted_before_it_began_does_not_begin() -> None:
    runs, recorder = DrivenRuns(lambda log: None), Recorder()
    runs.start(a_run(), recorder.drive, recorder.count)
    runs.taken_away(KEY)
    await runs.drain(10)
    assert recorder.outcomes == [(None, Interruption.TAKEN_AWAY)]
    assert not recorder.working.is_set()


async def test_other_runs_and_other_attempts_go_on() -> None:
    runs, recorder = DrivenRuns(lambda log: None), Recorder()
    runs.start(a_run(attempt=2), recorder.drive, recorder.count)
    await recorder.working.wait()
    runs.taken_away(KEY)
    runs.cancel_requested(KEY)
    runs.cancel("t", "run_2")
    runs.cancel("other", "run_1")
    recorder.released.set()
    await runs.drain(10)
    assert recorder.outcomes == [("done", None)]


async def test_an_interruption_never_cuts_off_what_follows_the_work() -> None:
    committing, go_on = asyncio.Event(), asyncio.Event()
    committed: list[Interruption | None] = []

    async def work() -> str:
        return "done"

    async def drive(driven: DrivenRun) -> None:
        await driven.until_interrupted(work())
        committing.set()
        await go_on.wait()
        committed.append(driven.interruption)

    runs = DrivenRuns(lambda log: None)
    runs.start(a_run(), drive, lambda: None)
    await committing.wait()
    runs.cancel_requested(KEY)
    go_on.set()
    await runs.drain(10)
    assert committed == [Interruption.CANCELLED]


async def test_the_stronger_interruption_counts_and_the_work_is_cancelled_once() -> None:
    runs, recorder = DrivenRuns(lambda log: None), Recorder()
    runs.start(a_run(), recorder.drive, recorder.count)
    await recorder.working.wait()
    runs.cancel_requested(KEY)
    # The clean-up is at its await now.
    await asyncio.sleep(0)
    runs.taken_away(KEY)
    runs.cancel_requested(KEY)
    await runs.drain(10)
    assert recorder.outcomes == [(None, Interruption.TAKEN_AWAY)]
    assert recorder.cleaned_up.is_set()


async def test_draining_hands_back_what_does_not_end() -> None:
    runs, patient, quick = DrivenRuns(lambda log: None), Recorder(), Recorder()
    runs.start(a_run(1), patient.drive, patient.count)
    runs.start(a_run(2), quick.drive, quick.count)
    quick.released.set()
    await runs.drain(0.01)
    assert quick.outcomes == [("done", None)]
    assert patient.outcomes == [(None, Interruption.HANDED_BACK)]
    late = Recorder()
    runs.start(a_run(3), late.drive, late.count)
    await runs.drain(0)
    assert late.outcomes == [(None, Interruption.HANDED_BACK)]


async def test_a_cancellation_from_elsewhere_is_not_swallowed() -> None:
    recorder = Recorder()
    driven = DrivenRun(a_run(), lambda log: None)
    task = asyncio.create_task(recorder.drive(driven))
    await recorder.working.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recorder.outcomes == []


async def test_a_driver_that_dies_gives_its_place_back() -> None:
    async def drive(_driven: DrivenRun) -> None:
        raise RuntimeError("a bug")

    runs, recorder = DrivenRuns(lambda log: None), Recorder()
    runs.start(a_run(), drive, recorder.count)
    await runs.drain(10)
    assert runs.claims() == frozenset()
    assert recorder.ended == 1
