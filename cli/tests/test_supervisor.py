"""The supervisor: what dies is started again, with growing patience, and everything is stopped stage by stage."""

import asyncio

import pytest
from threadworks.supervisor.backoff import FIRST_SECONDS, LAST_SECONDS, STABLE_SECONDS, Backoff
from threadworks.supervisor.supervisor import Supervisor


class FakePart:
    """A part whose death is a signal of the test."""

    def __init__(self, name: str, journal: list[str]) -> None:
        self.name = name
        self.starts = 0
        self.refuse = 0
        self._journal = journal
        self._died = asyncio.Event()
        self.started = asyncio.Condition()

    async def start(self) -> None:
        if self.refuse and self.starts:
            self.refuse -= 1
            raise RuntimeError("not yet")
        self._died.clear()
        self.starts += 1
        self._journal.append(f"start {self.name}")
        async with self.started:
            self.started.notify_all()

    async def exited(self) -> int:
        await self._died.wait()
        return -9

    async def stop(self) -> None:
        self._journal.append(f"stop {self.name}")

    def die(self) -> None:
        self._died.set()

    async def started_times(self, times: int) -> None:
        async with self.started:
            await asyncio.wait_for(self.started.wait_for(lambda: self.starts >= times), 5)


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


async def test_what_dies_is_started_again() -> None:
    journal: list[str] = []
    part, other = FakePart("gateway-1", journal), FakePart("kafka", journal)
    supervisor = Supervisor(pause=no_pause)
    await supervisor.start(part, other)
    for times in (2, 3):
        part.die()
        await part.started_times(times)
    assert other.starts == 1
    await supervisor.stop()


async def test_a_part_that_cannot_start_yet_is_tried_again() -> None:
    part = FakePart("gateway-1", [])
    supervisor = Supervisor(pause=no_pause)
    await supervisor.start(part)
    part.refuse = 3
    part.die()
    await part.started_times(2)
    assert part.refuse == 0
    await supervisor.stop()


async def test_a_part_that_was_removed_is_stopped_and_not_started_again() -> None:
    journal: list[str] = []
    supervisor = Supervisor(pause=no_pause)
    kept, removed = FakePart("gateway-1", journal), FakePart("gateway-2", journal)
    await supervisor.start(kept, removed)
    await supervisor.remove("gateway-2")
    removed.die()
    kept.die()
    await kept.started_times(2)
    assert removed.starts == 1
    assert journal.count("stop gateway-2") == 1
    with pytest.raises(KeyError):
        await supervisor.remove("gateway-2")
    await supervisor.stop()
    assert journal.count("stop gateway-2") == 1


async def test_stages_stop_in_order_and_the_rest_last() -> None:
    journal: list[str] = []
    supervisor = Supervisor(pause=no_pause)
    parts = [FakePart(name, journal) for name in ("postgres", "kafka", "orchestrator-1", "gateway-1", "gateway-2")]
    await supervisor.start(*parts)
    journal.clear()
    await supervisor.stop(["gateway"], ["orchestrator"], ["kafka"])
    assert journal == ["stop gateway-1", "stop gateway-2", "stop orchestrator-1", "stop kafka", "stop postgres"]
    parts[0].die()
    await asyncio.sleep(0)
    assert parts[0].starts == 1, "nothing is started again once it was stopped"


async def test_a_half_started_installation_is_stopped_whole() -> None:
    journal: list[str] = []

    class Broken(FakePart):
        async def start(self) -> None:
            raise RuntimeError("no port left")

    supervisor = Supervisor(pause=no_pause)
    await supervisor.start(FakePart("postgres", journal))
    with pytest.raises(RuntimeError, match="no port left"):
        await supervisor.start(FakePart("kafka", journal), Broken("gateway-1", journal))
    await supervisor.stop(["gateway"])
    assert sorted(entry for entry in journal if entry.startswith("stop")) == [
        "stop gateway-1",
        "stop kafka",
        "stop postgres",
    ]


async def test_where_one_part_cannot_start_the_others_do_not_come_up_after_they_were_stopped() -> None:
    journal: list[str] = []
    download = asyncio.Event()

    class Broken(FakePart):
        async def start(self) -> None:
            raise RuntimeError("no port left")

    class Slow(FakePart):
        async def start(self) -> None:
            await download.wait()
            await super().start()

    supervisor = Supervisor(pause=no_pause)
    with pytest.raises(RuntimeError, match="no port left"):
        await supervisor.start(Slow("kafka", journal), Broken("postgres", journal))
    await supervisor.stop()
    download.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sorted(journal) == ["stop kafka", "stop postgres"]


def test_patience_grows_and_is_forgotten_by_a_healthy_life() -> None:
    backoff = Backoff()
    delays = [backoff.delay(0.1) for _ in range(8)]
    assert delays[:3] == [FIRST_SECONDS, FIRST_SECONDS * 2, FIRST_SECONDS * 4]
    assert delays[-1] == LAST_SECONDS
    assert backoff.delay(STABLE_SECONDS) == FIRST_SECONDS
