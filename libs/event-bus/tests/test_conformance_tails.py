"""Conformance: reading one partition from its end, and the publisher for what is read so, alike on both buses."""

import asyncio
from typing import Any

import pytest
from event_bus import Message, OutgoingRecord, Unavailable
from event_bus.delivery import Ending


async def tail(bench: Any, topic: str, handler: Any, *, partition: int = 0, ready: bool = True) -> Any:
    one = await bench.bus.tail(topic=topic, partition=partition, handlers={bench.REQUESTED: handler})
    if ready:
        async with asyncio.timeout(bench.PATIENCE):
            await one.ready()
    return one


async def stream(bench: Any, topic: str, *subjects: str, partition: int = 0) -> None:
    records = [bench.record(topic, bench.message(subject), partition=partition) for subject in subjects]
    assert await bench.bus.stream_publisher.publish(records) == [None] * len(records)


async def test_a_tail_sees_what_is_published_after_it_was_ready_and_nothing_older(bench: Any) -> None:
    topic = await bench.harness.topic()
    await bench.publish(topic, [f"old{number}" for number in range(300)])
    seen = bench.Seen()
    await tail(bench, topic, seen)
    await stream(bench, topic, *(f"{number}" for number in range(300)))
    await bench.publish(topic, ["durable"])
    await seen.count(301)
    assert seen.subjects == [*(f"{number}" for number in range(300)), "durable"]


async def test_a_message_arrives_as_it_was_streamed(bench: Any) -> None:
    topic = await bench.harness.topic()
    sent = bench.message("run_1", seq=4, attempt=2)
    seen = bench.Seen()
    await tail(bench, topic, seen)
    assert await bench.bus.stream_publisher.publish([bench.record(topic, sent, partition=0)]) == [None]
    await seen.count(1)
    assert seen.messages == [sent]


async def test_a_tail_reads_its_own_partition_alone_and_two_tails_of_one_both_get_everything(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=3)
    first, second, other = bench.Seen(), bench.Seen(), bench.Seen()
    await tail(bench, topic, first)
    await tail(bench, topic, second)
    await tail(bench, topic, other, partition=2)
    for number in range(20):
        for partition in range(3):
            await stream(bench, topic, f"{partition}.{number}", partition=partition)
    for seen, partition in ((first, 0), (second, 0), (other, 2)):
        await seen.count(20)
        assert seen.subjects == [f"{partition}.{number}" for number in range(20)]


@pytest.mark.parametrize("error", [ValueError, Unavailable])
async def test_a_handler_that_raises_is_tried_once_and_the_next_record_comes_at_once(
    bench: Any, error: type[Exception]
) -> None:
    topic = await bench.harness.topic()
    seen = bench.Seen()

    async def handler(message: Message) -> None:
        await seen(message)
        if message.subject.startswith("bad"):
            raise error

    one = await tail(bench, topic, handler)
    await stream(bench, topic, "a", "bad1", "b", "bad2", "bad3", "c")
    await seen.all_of(["c"])
    assert seen.subjects == ["a", "bad1", "b", "bad2", "bad3", "c"]
    assert one.counts[topic, Ending.HANDLED] >= 2
    assert await bench.dead_letters(topic) == []


async def test_unreadable_and_unknown_records_are_skipped_and_write_no_dead_letters(bench: Any) -> None:
    topic = await bench.harness.topic()
    seen = bench.Seen()
    one = await tail(bench, topic, seen)
    good = bench.record(topic, bench.message("good"), partition=0)
    unknown = tuple(
        (name, b"threadworks.run.imagined.v9" if name == "ce_type" else value) for name, value in good.headers
    )
    records = [OutgoingRecord(topic=topic, key=None, value=b"\xff{", headers=good.headers, partition=0)] * 30
    records += [OutgoingRecord(topic=topic, key=None, value=b"", partition=0)]
    records += [OutgoingRecord(topic=topic, key=None, value=good.value, headers=unknown, partition=0), good]
    assert await bench.bus.stream_publisher.publish(records) == [None] * 33
    await seen.count(1)
    assert seen.subjects == ["good"]
    assert one.counts[topic, Ending.SKIPPED] == 32
    assert await bench.dead_letters(topic) == []


async def test_records_are_handed_out_one_at_a_time(bench: Any) -> None:
    topic = await bench.harness.topic()
    seen = bench.Seen()
    running = 0

    async def handler(message: Message) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        await seen(message)

    one = await tail(bench, topic, handler)
    await stream(bench, topic, *(str(number) for number in range(100)))
    await seen.count(100)
    assert one.counts[topic, Ending.SKIPPED] == 0


async def test_a_slow_handler_loses_nothing(bench: Any) -> None:
    topic = await bench.harness.topic()
    seen = bench.Seen()
    held = asyncio.Event()

    async def handler(message: Message) -> None:
        await held.wait()
        await seen(message)

    await tail(bench, topic, handler)
    for start in range(0, 1000, 250):
        await stream(bench, topic, *(str(number) for number in range(start, start + 250)))
    held.set()
    await seen.count(1000)
    assert seen.subjects == [str(number) for number in range(1000)]


async def test_a_stopped_tail_gets_nothing_more_and_may_be_stopped_again(bench: Any) -> None:
    topic = await bench.harness.topic()
    seen, staying = bench.Seen(), bench.Seen()
    one = await tail(bench, topic, seen)
    await tail(bench, topic, staying)
    await stream(bench, topic, "before")
    await seen.count(1)
    await asyncio.gather(one.stop(), one.stop())
    await one.stop()
    await stream(bench, topic, "after")
    await staying.all_of(["after"])
    assert seen.subjects == ["before"]


async def test_a_tail_may_be_stopped_in_the_middle_of_a_handler_and_before_it_is_ready(bench: Any) -> None:
    topic = await bench.harness.topic()
    began = asyncio.Event()

    async def handler(_: Message) -> None:
        began.set()
        await asyncio.Event().wait()

    one = await tail(bench, topic, handler)
    early = await tail(bench, topic, handler, ready=False)
    async with asyncio.timeout(bench.PATIENCE):
        await early.stop()
        await stream(bench, topic, "held")
        await began.wait()
        await one.stop()


async def test_stopping_the_bus_stops_its_tails(bench: Any) -> None:
    topic = await bench.harness.topic()
    seen, later = bench.Seen(), bench.Seen()
    await tail(bench, topic, seen)
    await stream(bench, topic, "before")
    await seen.count(1)
    async with asyncio.timeout(bench.PATIENCE):
        await bench.bus.stop()
    bench.bus = await bench.another_bus()
    await tail(bench, topic, later)
    await stream(bench, topic, "after")
    await later.count(1)
    assert seen.subjects == ["before"]


async def test_what_one_publisher_cannot_send_the_other_does_not_mind(bench: Any) -> None:
    topic = await bench.harness.topic()
    seen = bench.Seen()
    await tail(bench, topic, seen)
    nowhere = OutgoingRecord(topic=topic, key=None, value=b"x", partition=99)
    (outcome,) = await bench.bus.stream_publisher.publish([nowhere])
    assert outcome is not None
    assert not outcome.retryable
    await bench.publish(topic, ["durable"])
    await stream(bench, topic, "streamed")
    await seen.count(2)
