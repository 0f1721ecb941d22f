"""What is counted is shown, from however many services of a process; what cannot be asked for holds nobody up."""

import asyncio
from collections.abc import Callable

import pytest
import structlog
from observability import LOOP_LAG, Heartbeat, Meters, Metric
from observability.heartbeat import LONGEST_SILENCE
from prometheus_client import generate_latest

CALLS = Metric(name="calls_total", kind="counter", help="Calls.", labels=("service",))
AGE = Metric(name="queue_age_seconds", kind="gauge", help="Age.", merged="max")
DEPTH = Metric(name="depth", kind="gauge", help="Depth.", labels=("queue",))


def shown(meters: Meters) -> list[str]:
    return generate_latest(meters.registry).decode().splitlines()


def test_two_services_of_a_process_count_in_one_metric() -> None:
    meters = Meters()
    meters.counter(CALLS).labels("moodle").inc()
    meters.counter(CALLS).labels("moodle").inc(2)
    assert 'calls_total{service="moodle"} 3.0' in shown(meters)


def test_what_has_not_happened_is_nought_and_known() -> None:
    meters = Meters()
    meters.histogram(Metric(name="taken_seconds", kind="histogram", help="Taken."))
    meters.counter(CALLS)
    lines = shown(meters)
    assert "taken_seconds_count 0.0" in lines
    assert "# TYPE calls_total counter" in lines


def test_one_name_cannot_mean_two_things() -> None:
    meters = Meters()
    meters.counter(CALLS)
    with pytest.raises(ValueError, match="calls_total"):
        meters.counter(Metric(name="calls_total", kind="counter", help="Something else."))
    with pytest.raises(ValueError, match="calls_total"):
        meters.gauge(CALLS)


def test_sources_are_read_at_each_scrape_and_merged_as_the_metric_says() -> None:
    meters = Meters()
    depth, ages = {("a",): 1.0}, [{(): 3.0}, {(): 5.0}]
    meters.sampled(DEPTH, lambda: depth)
    meters.sampled(DEPTH, lambda: {("a",): 2.0, ("b",): 7.0})
    for age in ages:
        meters.sampled(AGE, lambda age=age: age)
    assert {'depth{queue="a"} 3.0', 'depth{queue="b"} 7.0', "queue_age_seconds 5.0"} <= set(shown(meters))
    depth["a",] = 0.0
    assert 'depth{queue="a"} 2.0' in shown(meters)


async def test_several_scrapers_cost_as_much_as_one_and_a_second_later_it_is_asked_again() -> None:
    now = 100.0
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)

    meters = Meters(clock=lambda: now)
    meters.refreshed_by(ask)
    await asyncio.gather(meters.refresh(), meters.refresh())
    assert asked == 1
    now += 1.0
    await meters.refresh()
    assert asked == 2


async def test_what_cannot_be_asked_for_leaves_the_others_alone() -> None:
    meters = Meters()
    answered = asyncio.Event()

    async def fails() -> None:
        raise ValueError("postgresql://user:password@host")

    async def answers() -> None:
        answered.set()

    meters.refreshed_by(fails)
    meters.refreshed_by(answers)
    with structlog.testing.capture_logs() as logs:
        await meters.refresh()
    assert answered.is_set()
    assert [line["error"] for line in logs] == ["ValueError"]
    assert "password" not in str(logs)


class Clock:
    """Time that passes only when it is told to, and whoever waits for it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: asyncio.Queue[Callable[[], None]] = asyncio.Queue()

    async def pause(self, _: float) -> None:
        over = asyncio.Event()
        await self.waiting.put(over.set)
        await over.wait()


async def test_the_heartbeat_counts_how_late_the_loop_is_and_tells_when_it_has_stopped() -> None:
    clock, meters = Clock(), Meters()
    heart = Heartbeat(meters, clock=lambda: clock.now, pause=clock.pause)
    heart.start()
    wake = await clock.waiting.get()
    clock.now += 0.25 + 0.5
    wake()
    wake = await clock.waiting.get()
    assert f"{LOOP_LAG.name}_sum 0.5" in shown(meters)
    assert f'{LOOP_LAG.name}_bucket{{le="0.25"}} 0.0' in shown(meters)
    assert heart.check() is None
    clock.now += LONGEST_SILENCE + 1
    assert heart.check() == "the event loop has not turned for 11 s"
    wake()
    await clock.waiting.get()
    assert heart.check() is None
    await heart.stop()
