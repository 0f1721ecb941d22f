"""Conformance: groups, members that come, go and die, pauses, stops and followers, alike on Kafka and in process."""

import asyncio
from typing import Any

from event_bus import Message, OutgoingRecord, Unavailable


async def test_two_members_share_the_partitions_and_every_record_is_handled_once(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=4)
    seen, other = bench.Seen(), bench.Seen()
    first = await bench.subscribe(seen, topic)
    second = await bench.subscribe(other, topic, bus=await bench.another_bus())
    await bench.assigned(first, 2)
    await bench.assigned(second, 2)
    assert first.assignment.isdisjoint(second.assignment)
    for partition in range(4):
        await bench.publish(topic, [f"{partition}.{number}" for number in range(25)], partition=partition)
    await seen.count(50)
    await other.count(50)
    for one, member in ((seen, first), (other, second)):
        assert {int(subject[0]) for subject in one.subjects} == {p.number for p in member.assignment}
        assert len(one.subjects) == len(set(one.subjects)) == 50


async def test_two_groups_each_get_everything(bench: Any) -> None:
    topic = await bench.harness.topic()
    seen, other = bench.Seen(), bench.Seen()
    await bench.publish(topic, ["0", "1"])
    await bench.subscribe(seen, topic)
    await bench.subscribe(other, topic, group=bench.group + "-other")
    await seen.count(2)
    await other.count(2)


async def test_a_member_that_dies_leaves_its_unacknowledged_records_to_the_other(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=2)
    started, survivor = bench.Seen(), bench.Seen()

    async def never_ends(message: Message) -> None:
        await started(message)
        await asyncio.Event().wait()

    dying = await bench.subscribe(never_ends, topic)
    await bench.assigned(dying, 2)
    await bench.subscribe(survivor, topic, bus=await bench.another_bus())
    await bench.assigned(dying, 1)
    (theirs,) = dying.assignment
    await bench.publish(topic, ["0", "1", "2"], partition=theirs.number)
    await started.count(1)
    await bench.harness.crash(dying)
    await survivor.count(3)
    assert survivor.subjects == ["0", "1", "2"]


async def test_a_stop_lets_handlers_end_and_commits_so_that_nothing_is_repeated(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    started, done, later = bench.Seen(), bench.Seen(), bench.Seen()
    gate = asyncio.Event()

    async def handler(message: Message) -> None:
        await started(message)
        await gate.wait()
        await done(message)

    member = await bench.subscribe(handler, topic)
    await bench.publish(topic, ["0", "1", "2"])
    await started.count(1)
    stopping = asyncio.ensure_future(member.stop())
    await asyncio.sleep(0)
    gate.set()
    await stopping
    await member.stop()
    assert done.subjects == ["0"]
    await bench.subscribe(later, topic)
    await later.count(2)
    assert later.subjects == ["1", "2"]


async def test_a_paused_topic_stays_paused_across_rebalances_and_others_go_on(bench: Any) -> None:
    paused, running = await bench.harness.topic(), await bench.harness.topic()
    seen, other = bench.Seen(), bench.Seen()
    first = await bench.subscribe(seen, paused, running)
    await bench.assigned(first, 6)
    first.pause(paused)
    second = await bench.subscribe(other, paused, running, bus=await bench.another_bus())
    await bench.assigned(first, 3)
    second.pause(paused)
    await second.stop()
    await bench.assigned(first, 6)
    for partition in range(3):
        await bench.publish(paused, [f"paused {partition}"], partition=partition)
        await bench.publish(running, [f"running {partition}"], partition=partition)
    await seen.count(3)
    # A second round shows that the first had its time: records of the paused topic came before it.
    await bench.publish(running, ["again"])
    await seen.count(4)
    assert not [subject for subject in seen.subjects if subject.startswith("paused")]
    first.resume(paused)
    await seen.count(7)
    assert {subject for subject in seen.subjects if subject.startswith("paused")} == {f"paused {n}" for n in range(3)}
    assert other.subjects == []


async def test_pausing_from_a_handler_holds_back_the_very_next_record(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    seen = bench.Seen()
    members: list[Any] = []

    async def handler(message: Message) -> None:
        members[0].pause(topic)
        await seen(message)

    members.append(await bench.subscribe(handler, topic))
    await bench.publish(topic, ["0", "1", "2"])
    for number in range(3):
        await seen.count(number + 1)
        assert seen.subjects == [str(one) for one in range(number + 1)]
        members[0].resume(topic)


async def test_a_partition_that_stays_is_worked_on_without_repetition_through_a_rebalance(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=2)
    started, seen = bench.Seen(), bench.Seen()
    gates = [asyncio.Event(), asyncio.Event()]

    async def handler(message: Message) -> None:
        await started(message)
        await gates[int(message.subject[0])].wait()
        await seen(message)

    first = await bench.subscribe(handler, topic)
    await bench.assigned(first, 2)
    for partition in range(2):
        await bench.publish(topic, [f"{partition}.{number}" for number in range(300)], partition=partition)
    await started.count(2)
    second = await bench.subscribe(bench.Seen(), topic, bus=await bench.another_bus())
    await bench.assigned(second, 1)
    await bench.assigned(first, 1)
    (kept,) = first.assignment
    gates[kept.number].set()
    await seen.count(300)
    assert seen.subjects[:300] == [f"{kept.number}.{number}" for number in range(300)]
    gates[1 - kept.number].set()


async def test_a_rebalance_does_not_wait_for_what_is_away(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=2)
    tries, seen = bench.Seen(), bench.Seen()

    async def unavailable(message: Message) -> None:
        await tries(message)
        raise Unavailable("the database")

    first = await bench.subscribe(unavailable, topic)
    await bench.assigned(first, 2)
    for partition in range(2):
        await bench.publish(topic, [str(partition)], partition=partition)
    await tries.all_of(["0", "1"])
    second = await bench.subscribe(seen, topic, bus=await bench.another_bus())
    await bench.assigned(second, 1)
    (theirs,) = second.assignment
    await seen.count(1)
    assert seen.subjects == [str(theirs.number)]


async def test_a_follower_reads_a_compacted_topic_from_its_beginning_and_stays_on_it(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1, compacted=True)
    records = [bench.record(topic, bench.message(f"a{number}"), key="a") for number in range(3)]
    broken = OutgoingRecord(topic=topic, key=b"b", value=b"not json")
    assert await bench.bus.publisher.publish([*records, broken]) == [None] * 4
    seen, late = bench.Seen(), bench.Seen()
    follower = await bench.bus.follow(topic=topic, handlers={bench.REQUESTED: seen})
    async with asyncio.timeout(bench.PATIENCE):
        await follower.caught_up()
    assert seen.subjects[-1] == "a2"
    assert await bench.bus.publisher.publish([bench.record(topic, bench.message("a3"), key="a")]) == [None]
    await seen.all_of(["a3"])
    await follower.stop()
    await follower.stop()
    again = await bench.bus.follow(topic=topic, handlers={bench.REQUESTED: late})
    async with asyncio.timeout(bench.PATIENCE):
        await again.caught_up()
    assert late.subjects[-1] == "a3"
    assert await bench.dead_letters(topic) == []


async def test_a_follower_of_an_empty_topic_is_caught_up_at_once_and_waits_out_what_is_away(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1, compacted=True)
    tries, seen = bench.Seen(), bench.Seen()

    async def handler(message: Message) -> None:
        await tries(message)
        if len(tries.messages) < 3:
            raise Unavailable("the database")
        await seen(message)

    follower = await bench.bus.follow(topic=topic, handlers={bench.REQUESTED: handler})
    async with asyncio.timeout(bench.PATIENCE):
        await follower.caught_up()
    assert await bench.bus.publisher.publish([bench.record(topic, bench.message("late"), key="k")]) == [None]
    await seen.count(1)
    assert len(tries.messages) == 3
