"""A process that follows another one begins at higher offsets, and groups, tails and readers take no notice."""

import asyncio
from typing import Any

from event_bus import Partition
from event_bus.in_process import InProcessBus

FIRST = 1_764_000_000_000
TOPIC = "test.offsets"


async def test_all_kinds_of_readers_work_from_any_first_offset_on(make_record: Any, make_message: Any) -> None:
    bus = InProcessBus(first_offset=FIRST)
    await bus.start()
    handled: asyncio.Queue[str] = asyncio.Queue()

    async def handle(message: Any) -> None:
        await handled.put(message.subject)

    handlers = {make_message("x").type: handle}
    before = make_record(TOPIC, make_message("0"), partition=0)
    assert await bus.publisher.publish([before]) == [None]
    member = await bus.subscribe(group="g", topics=[TOPIC], handlers=handlers, service="test")
    assert await asyncio.wait_for(handled.get(), 10) == "0"
    reader = await bus.read(topics=[TOPIC])
    first = await reader.read()
    assert first.place[Partition(TOPIC, 0)] == FIRST + 1
    assert first.place[Partition(TOPIC, 1)] == FIRST
    await member.stop()
    assert await bus.publisher.publish([make_record(TOPIC, make_message("1"), partition=0)]) == [None]
    again = await bus.subscribe(group="g", topics=[TOPIC], handlers=handlers, service="test")
    assert await asyncio.wait_for(handled.get(), 10) == "1", "only what was not acknowledged"
    assert [record.offset for record in (await reader.read()).records] == [FIRST + 1]
    await again.stop()
    assert bus.lag() == {}
    await bus.stop()


async def test_the_place_of_the_process_before_is_known_to_be_gone(make_record: Any, make_message: Any) -> None:
    bus = InProcessBus(first_offset=FIRST)
    await bus.start()
    await bus.publisher.publish([make_record(TOPIC, make_message("0"), partition=0)])
    reader = await bus.read(topics=[TOPIC], start={Partition(TOPIC, number): FIRST - 5 for number in range(12)})
    assert (await reader.read()).lost
    assert [record.offset for record in (await reader.read()).records] == [FIRST]
    await bus.stop()


async def test_the_lag_counts_from_the_first_offset(make_record: Any, make_message: Any) -> None:
    bus = InProcessBus(first_offset=FIRST)
    await bus.start()
    member = await bus.subscribe(group="g", topics=[TOPIC], handlers={}, service="test")
    member.pause(TOPIC)
    await bus.publisher.publish([make_record(TOPIC, make_message("0"), partition=0)])
    assert bus.lag() == {("g", TOPIC): 1}
    await bus.stop()
