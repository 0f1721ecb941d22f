"""Room for runs, and how queued runs come to it."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from run_engine.domain.objects import Run
from run_engine.errors import DatabaseUnavailable
from run_orchestrator.application import claiming as claiming_module
from run_orchestrator.application.claiming import Claiming
from run_orchestrator.application.driven_runs import DrivenRun, DrivenRuns
from run_orchestrator.application.places import Places
from run_orchestrator.application.ports import RunStore


class Claimed:
    def __init__(self, tenant_id: str, run_id: str) -> None:
        self.tenant_id, self.id, self.attempt = tenant_id, run_id, 1
        self.seq, self.stream_slots = 2, frozenset[int]()


class Queue:
    """The two statements of the store that claiming needs."""

    def __init__(self, *run_ids: str) -> None:
        self.waiting = list(run_ids)
        self.claims: list[str] = []
        self.looks: list[int] = []
        self.away = False
        self.looked = asyncio.Event()

    async def claim(self, tenant_id: str, run_id: str) -> Claimed | None:
        if self.away:
            raise DatabaseUnavailable("away")
        self.claims.append(run_id)
        if run_id not in self.waiting:
            return None
        self.waiting.remove(run_id)
        return Claimed(tenant_id, run_id)

    async def queued(self, limit: int) -> Sequence[tuple[str, str]]:
        self.looks.append(limit)
        self.looked.set()
        if self.away:
            raise DatabaseUnavailable("away")
        return [("t", run_id) for run_id in self.waiting[:limit]]


class Drives:
    """A driver whose runs end when they are told to."""

    def __init__(self) -> None:
        self.running: dict[str, asyncio.Event] = {}
        self.ended: list[str] = []

    async def drive(self, driven: DrivenRun) -> None:
        self.running[driven.run.id] = over = asyncio.Event()
        await over.wait()
        self.ended.append(driven.run.id)


class Scene:
    def __init__(self, places: int, *run_ids: str) -> None:
        self.queue, self.drives = Queue(*run_ids), Drives()
        self.places, self.driven = Places(places), DrivenRuns(lambda log: None)
        self.claiming = Claiming(
            cast(RunStore, self.queue), self.places, self.driven, self.drives.drive, shuffle=lambda _: None
        )

    def run_ids(self) -> set[str]:
        return {run_id for _, run_id, _ in self.driven.claims()}

    async def end(self, run_id: str) -> None:
        await asyncio.sleep(0)
        self.drives.running.pop(run_id).set()
        while run_id in self.run_ids():
            await asyncio.sleep(0)


def test_places_are_closed_until_they_are_opened() -> None:
    places = Places(2)
    assert places.free == 0
    assert not places.take()
    places.open()
    assert places.take()
    assert places.free == 1
    places.close()
    assert not places.take()


def test_watchers_hear_of_every_change_once() -> None:
    places, told = Places(2), list[bool]()
    places.watch(told.append)
    places.open()
    places.take()
    places.take()
    places.take()
    places.give_back()
    places.give_back()
    places.close()
    assert told == [True, False, True, False, True]


async def test_a_claimed_run_is_driven_and_its_place_comes_back() -> None:
    scene = Scene(1, "a", "b")
    scene.places.open()
    await scene.claiming.claim("t", "a")
    assert scene.run_ids() == {"a"}
    assert scene.places.free == 0
    await scene.claiming.claim("t", "b")
    assert scene.queue.claims == ["a"], "there is no place for b"
    await scene.end("a")
    assert scene.places.free == 1


async def test_what_cannot_be_claimed_takes_no_place() -> None:
    scene = Scene(1)
    scene.places.open()
    await scene.claiming.claim("t", "gone")
    assert scene.places.free == 1
    scene.queue.away = True
    with pytest.raises(DatabaseUnavailable):
        await scene.claiming.claim("t", "a")
    assert scene.places.free == 1
    assert scene.run_ids() == set()


async def test_a_look_takes_what_there_is_room_for() -> None:
    scene = Scene(3, *"abcde")
    scene.places.open()
    await scene.claiming.look()
    assert scene.run_ids() == {"a", "b", "c"}
    await scene.claiming.look()
    assert scene.queue.looks == [3], "without room there is nothing to look for"


async def test_a_look_goes_on_while_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming_module, "LOOK_AT", 2)
    scene = Scene(10, *"abcde")
    scene.places.open()
    await scene.claiming.look()
    assert scene.run_ids() == set("abcde")
    assert scene.queue.looks == [2, 2, 2]


async def test_looks_are_shuffled() -> None:
    scene = Scene(3, *"abc")
    scene.claiming = Claiming(
        cast(RunStore, scene.queue), scene.places, scene.driven, scene.drives.drive, shuffle=list.reverse
    )
    scene.places.open()
    await scene.claiming.look()
    assert scene.queue.claims == ["c", "b", "a"]


async def looking(scene: Scene) -> "asyncio.Task[Any]":
    return asyncio.create_task(scene.claiming.keep_looking())


async def stop(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_runs_that_were_passed_over_are_looked_for_as_soon_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claiming_module, "LOOK_EVERY", 3600.0)
    scene = Scene(1, "a", "b")
    scene.places.open()
    task = await looking(scene)
    await scene.claiming.claim("t", "a")
    await scene.claiming.claim("t", "b")
    await scene.end("a")
    await asyncio.wait_for(scene.queue.looked.wait(), 5)
    while scene.run_ids() != {"b"}:
        await asyncio.sleep(0)
    await stop(task)


async def test_looking_goes_on_after_the_database_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming_module, "LOOK_EVERY", 0.001)
    scene = Scene(5, "a")
    scene.places.open()
    scene.queue.away = True
    task = await looking(scene)
    for _ in range(3):
        scene.queue.looked.clear()
        await asyncio.wait_for(scene.queue.looked.wait(), 5)
    scene.queue.away = False
    async with asyncio.timeout(5):
        while scene.run_ids() != {"a"}:
            await asyncio.sleep(0)
    await stop(task)


async def test_opening_the_places_claims_what_came_while_they_were_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming_module, "LOOK_EVERY", 3600.0)
    scene = Scene(5, "a")
    task = await looking(scene)
    await scene.claiming.claim("t", "a")
    assert scene.queue.claims == []
    scene.places.open()
    async with asyncio.timeout(5):
        while scene.run_ids() != {"a"}:
            await asyncio.sleep(0)
    await stop(task)


def test_a_run_is_a_run() -> None:
    """What the fakes of this file stand for has the fields that they have."""
    assert {"tenant_id", "id", "attempt"} <= set(Run.__dataclass_fields__)
