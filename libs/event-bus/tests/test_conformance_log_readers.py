"""Conformance: reading whole topics from any place on, without a group, alike on both buses."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from event_bus import LogBatch, Partition
from message_contracts import codec


class Read:
    """What a reader has handed out so far."""

    def __init__(self, reader: Any, patience: float) -> None:
        self.reader = reader
        self._patience = patience
        self.subjects: list[str] = []
        self.partitions: dict[str, int] = {}
        self.place: Mapping[Partition, int] = {}
        self.lost = False

    async def batch(self) -> LogBatch:
        async with asyncio.timeout(self._patience):
            batch: LogBatch = await self.reader.read()
        for record in batch.records:
            subject = codec.decode(record.headers, record.value or b"").subject
            self.subjects.append(subject)
            self.partitions[subject] = record.partition
        self.place = batch.place
        self.lost = self.lost or batch.lost
        return batch

    async def count(self, number: int) -> None:
        while len(self.subjects) < number:
            await self.batch()


async def read(bench: Any, *topics: str, start: Mapping[Partition, int] | None = None, bus: Any = None) -> Read:
    """A reader that stands at its place."""
    one = Read(await (bus or bench.bus).read(topics=topics, start=start), bench.PATIENCE)
    await one.batch()
    return one


def of(partition: int, subjects: list[str]) -> list[str]:
    return [subject for subject in subjects if subject.startswith(f"{partition}.")]


async def test_without_a_place_it_begins_at_the_ends_and_misses_nothing_from_then_on(bench: Any) -> None:
    topic = await bench.harness.topic()
    await bench.publish(topic, [f"old{number}" for number in range(20)])
    one = await read(bench, topic)
    assert one.subjects == []
    assert one.place == {Partition(topic, 0): 20, Partition(topic, 1): 0, Partition(topic, 2): 0}
    for partition in range(3):
        await bench.publish(topic, [f"{partition}.{number}" for number in range(150)], partition=partition)
    await one.count(450)
    assert one.lost is False
    for partition in range(3):
        assert of(partition, one.subjects) == [f"{partition}.{number}" for number in range(150)]
        assert one.place[Partition(topic, partition)] == (170 if partition == 0 else 150)


async def test_it_goes_on_exactly_behind_any_batch_also_on_another_connection(bench: Any) -> None:
    first_topic, second_topic = await bench.harness.topic(), await bench.harness.topic(partitions=2)
    one = await read(bench, first_topic, second_topic)
    for number in range(60):
        await bench.publish(first_topic, [f"1.{number}"], partition=number % 3)
        await bench.publish(second_topic, [f"2.{number}"], partition=number % 2)
    places: list[tuple[int, Mapping[Partition, int]]] = []
    while len(one.subjects) < 120:
        await one.batch()
        places.append((len(one.subjects), one.place))
    assert sorted(one.subjects) == sorted(f"{topic}.{number}" for topic in (1, 2) for number in range(60))
    other = await bench.another_bus()
    for seen, place in [(0, dict.fromkeys(one.place, 0)), places[0], places[len(places) // 2], places[-1]]:
        again = await read(bench, first_topic, second_topic, start=place, bus=other)
        await again.count(120 - seen)
        assert sorted(again.subjects) == sorted(one.subjects[seen:])
        assert (again.place, again.lost) == (one.place, False)
        await again.reader.stop()


async def test_a_partition_that_the_place_does_not_name_is_read_from_its_beginning(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=2)
    await bench.publish(topic, ["0.0", "0.1"], partition=0)
    await bench.publish(topic, ["1.0", "1.1"], partition=1)
    one = await read(bench, topic, start={Partition(topic, 0): 1, Partition("threadworks.gone.v1", 4): 7})
    await one.count(3)
    assert sorted(one.subjects) == ["0.1", "1.0", "1.1"]
    assert (one.lost, set(one.place)) == (False, {Partition(topic, 0), Partition(topic, 1)})


async def test_a_place_beyond_the_end_is_told_and_read_from_the_earliest_record_on(bench: Any) -> None:
    """The topic was deleted and made again: its offsets mean something else now."""
    topic = await bench.harness.topic(partitions=2)
    await bench.publish(topic, ["0.0"], partition=0)
    await bench.publish(topic, ["1.0", "1.1"], partition=1)
    one = await read(bench, topic, start={Partition(topic, 0): 900, Partition(topic, 1): 1})
    assert one.lost
    await one.count(2)
    assert sorted(one.subjects) == ["0.0", "1.1"]


async def test_a_place_that_retention_has_removed_is_told_and_read_from_the_earliest_record_on(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    await bench.publish(topic, [f"{number}" for number in range(300)])
    kept_from = await bench.harness.remove_before(topic, 100)
    one = await read(bench, topic, start={Partition(topic, 0): kept_from - 1})
    assert one.lost
    await one.count(300 - kept_from)
    assert one.subjects == [f"{number}" for number in range(kept_from, 300)]
    just_kept = await read(bench, topic, start={Partition(topic, 0): kept_from})
    assert just_kept.lost is False


async def test_readers_disturb_neither_each_other_nor_a_group(bench: Any, seen: Any) -> None:
    topic = await bench.harness.topic()
    member = await bench.subscribe(seen, topic)
    await bench.assigned(member, 3)
    slow, quick = await read(bench, topic), await read(bench, topic)
    await bench.publish(topic, [f"{number}" for number in range(400)])
    await quick.count(400)
    await seen.count(400)
    await slow.count(400)
    assert slow.subjects == quick.subjects == seen.subjects == [f"{number}" for number in range(400)]
    await quick.reader.stop()
    await quick.reader.stop()
    await bench.publish(topic, ["later"])
    await slow.count(401)
    assert len(quick.subjects) == 400


async def test_unreadable_records_are_handed_out_as_they_are(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    one = Read(await bench.bus.read(topics=[topic]), bench.PATIENCE)
    await one.batch()
    record = bench.record(topic, bench.message("good"), key="thread_1", partition=0)
    broken = record.__class__(topic=topic, key=b"k", value=b"\xff{", headers=(("ce_type", b"\xff"),), partition=0)
    assert await bench.bus.publisher.publish([broken, record]) == [None, None]
    found: list[Any] = []
    async with asyncio.timeout(bench.PATIENCE):
        while len(found) < 2:
            found += (await one.reader.read()).records
    assert [(each.offset, each.key, each.value) for each in found] == [
        (0, b"k", b"\xff{"),
        (1, b"thread_1", record.value),
    ]
    assert dict(found[0].headers) == {"ce_type": b"\xff"}
    assert tuple(found[1].headers) == record.headers


@pytest.mark.parametrize("number", [0, 1])
async def test_a_reader_that_waits_can_be_left(bench: Any, number: int) -> None:
    topic = await bench.harness.topic()
    one = await read(bench, topic)
    await bench.publish(topic, ["a"] * number)
    await one.count(number)
    waiting = asyncio.ensure_future(one.reader.read())
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    waiting.cancel()
    await bench.publish(topic, ["b"])
    await one.count(number + 1)
    assert one.subjects == ["a"] * number + ["b"]
