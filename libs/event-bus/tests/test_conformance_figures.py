"""Conformance: what a bus tells of itself, alike on Kafka and in process: counts, lag, health."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from event_bus import EventBus, Message


async def becomes(bench: Any, figure: Callable[[], Mapping[Any, int]], wanted: dict[Any, int]) -> None:
    """Wait until a figure is as wanted: on Kafka it is as old as the last look at the ends of the topics."""
    try:
        async with asyncio.timeout(bench.PATIENCE):
            while dict(figure()) != wanted:
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{dict(figure())} is not {wanted}") from None


def lag_of(bus: EventBus, group: str) -> Callable[[], dict[str, int]]:
    return lambda: {topic: records for (one, topic), records in bus.lag().items() if one == group}


async def test_what_was_taken_is_counted_by_group_topic_and_ending(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    seen = bench.Seen()

    async def handler(message: Message) -> None:
        await seen(message)
        if message.subject == "broken":
            raise ValueError

    member = await bench.subscribe(handler, topic)
    await bench.publish(topic, ["0", "broken", "1"])
    other = bench.message("2", type="threadworks.run.cancel-requested.v1")
    await bench.bus.publisher.publish([bench.record(topic, other, partition=0)])
    wanted = {
        (bench.group, topic, "handled"): 2,
        (bench.group, topic, "dead_lettered"): 1,
        (bench.group, topic, "skipped"): 1,
    }
    await becomes(bench, bench.bus.consumed, wanted)
    await member.stop()
    assert bench.bus.consumed() == wanted


async def test_lag_is_what_a_paused_topic_holds_and_nothing_once_it_is_handled(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=2)
    seen = bench.Seen()
    member = await bench.subscribe(seen, topic)
    await bench.assigned(member, 2)
    await bench.publish(topic, ["0", "1"], partition=0)
    await seen.count(2)
    lag = lag_of(bench.bus, bench.group)
    await becomes(bench, lag, {topic: 0})
    member.pause(topic)
    await bench.publish(topic, ["2", "3", "4"], partition=0)
    await bench.publish(topic, ["5", "6"], partition=1)
    await becomes(bench, lag, {topic: 5})
    member.resume(topic)
    await becomes(bench, lag, {topic: 0})


async def test_a_new_member_lags_by_what_its_group_has_not_acknowledged(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    seen = bench.Seen()
    first = await bench.subscribe(seen, topic)
    await bench.publish(topic, ["0", "1", "2"])
    await seen.count(3)
    await bench.committed(first, topic, 0, 3)
    await first.stop()
    await bench.publish(topic, ["3", "4"])
    gate = asyncio.Event()

    async def waits(_: Message) -> None:
        await gate.wait()

    second = await bench.subscribe(waits, topic)
    second.pause(topic)
    await becomes(bench, lag_of(bench.bus, bench.group), {topic: 2})
    gate.set()


async def test_a_subscription_that_has_ended_for_good_is_no_life(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)

    async def fails(_: Message) -> None:
        raise ValueError

    member = await bench.subscribe(fails, topic)
    assert bench.bus.check_alive() is None
    await bench.publish(topic, [str(number) for number in range(25)])
    async with asyncio.timeout(bench.PATIENCE):
        await member.failed
    assert bench.group in bench.bus.check_alive()
