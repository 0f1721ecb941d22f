"""Conformance: order, concurrency, acknowledgement and failure of single records, alike on Kafka and in process."""

import asyncio
from typing import Any

import pytest
from event_bus import Message, OutgoingRecord, Unavailable
from event_bus.delivery import Ending


async def test_a_message_arrives_as_it_was_sent_and_from_the_beginning_of_the_topic(bench: Any) -> None:
    topic = await bench.harness.topic()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = bench.message("run_1", seq=4, attempt=2, correlation_id="c", causation_id="d", traceparent=trace)
    assert await bench.bus.publisher.publish([bench.record(topic, sent, key="thread_1")]) == [None]
    seen = bench.Seen()
    await bench.subscribe(seen, topic)
    await seen.count(1)
    assert seen.messages == [sent]


async def test_records_of_a_partition_come_in_order_and_partitions_do_not_wait_for_each_other(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=2)
    slow = asyncio.Event()
    seen = bench.Seen()

    async def handler(message: Message) -> None:
        if message.subject == "a0":
            await slow.wait()
        await seen(message)

    await bench.subscribe(handler, topic)
    await bench.publish(topic, [f"a{number}" for number in range(50)], partition=0)
    await bench.publish(topic, [f"b{number}" for number in range(50)], partition=1)
    await seen.count(50)
    assert seen.subjects == [f"b{number}" for number in range(50)]
    slow.set()
    await seen.count(100)
    assert seen.subjects[50:] == [f"a{number}" for number in range(50)]


async def test_records_with_one_key_stay_in_order_whatever_lies_between(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=5)
    messages = [bench.message(f"{key}.{number}") for number in range(40) for key in ("x", "y", "z")]
    records = [bench.record(topic, message, key=message.subject[0]) for message in messages]
    assert await bench.bus.publisher.publish(records) == [None] * len(records)
    seen = bench.Seen()
    await bench.subscribe(seen, topic)
    await seen.count(120)
    for key in ("x", "y", "z"):
        assert [one for one in seen.subjects if one[0] == key] == [f"{key}.{number}" for number in range(40)]


async def test_with_concurrency_the_contiguous_offset_is_what_a_crash_leaves(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    held = asyncio.Event()
    started, done = bench.Seen(), bench.Seen()

    async def handler(message: Message) -> None:
        await started(message)
        if message.subject == "2":
            await held.wait()
        await done(message)

    member = await bench.subscribe(handler, topic, concurrency=4)
    await bench.publish(topic, [str(number) for number in range(10)])
    await done.count(9)
    assert "2" in started.subjects
    assert "2" not in done.subjects
    await bench.committed(member, topic, 0, 2)
    await bench.harness.crash(member)
    again = bench.Seen()
    await bench.subscribe(again, topic)
    await again.count(8)
    assert again.subjects == [str(number) for number in range(2, 10)]


async def test_concurrency_is_bounded(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    running, most = 0, 0
    gate = asyncio.Event()
    seen = bench.Seen()

    async def handler(message: Message) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            gate.set()
        await gate.wait()
        running -= 1
        await seen(message)

    await bench.subscribe(handler, topic, concurrency=3)
    await bench.publish(topic, [str(number) for number in range(30)])
    await seen.count(30)
    assert most == 3


async def test_poison_becomes_a_dead_letter_with_why_where_and_when_and_the_rest_goes_on(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    good = bench.record(topic, bench.message("good"), partition=0)
    broken = OutgoingRecord(
        topic=topic, key=b"k", value=b"\xff{", headers=(*good.headers, ("traceparent", trace)), partition=0
    )
    nothing = OutgoingRecord(topic=topic, key=None, value=b"{}", partition=0)
    assert await bench.bus.publisher.publish([broken, nothing, good]) == [None] * 3
    seen = bench.Seen()
    member = await bench.subscribe(seen, topic)
    await seen.count(1)
    assert seen.subjects == ["good"]
    letters = sorted(await bench.dead_letters(topic), key=lambda letter: dict(letter.headers)["dead_letter_offset"])
    assert [(letter.key, letter.value) for letter in letters] == [(b"k", b"\xff{"), (None, b"{}")]
    first = dict(letters[0].headers)
    assert first["dead_letter_partition"] == b"0"
    assert first["dead_letter_offset"] == b"0"
    assert first["dead_letter_error_class"] == b"InvalidMessage"
    assert first["dead_letter_reason"]
    assert first["dead_letter_service"] == b"test-service"
    assert first["dead_letter_group"] == bench.group.encode()
    assert first["dead_letter_time"]
    assert first["traceparent"] == trace
    assert first["ce_type"] == bench.REQUESTED.encode()
    assert member.counts[topic, Ending.DEAD_LETTERED] == 2


async def test_unknown_types_and_types_without_a_handler_are_skipped_and_counted(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    good = bench.record(topic, bench.message("good"), partition=0)
    headers = tuple((name, b"threadworks.run.requested.v9" if name == "ce_type" else v) for name, v in good.headers)
    next_major = OutgoingRecord(topic=topic, key=None, value=b'{"all": "new"}', headers=headers, partition=0)
    other = bench.message("other", type="threadworks.run.cancel-requested.v1")
    records = [next_major, bench.record(topic, other, partition=0), good]
    assert await bench.bus.publisher.publish(records) == [None] * 3
    seen = bench.Seen()
    member = await bench.subscribe(seen, topic)
    await seen.count(1)
    assert seen.subjects == ["good"]
    assert member.counts[topic, Ending.SKIPPED] == 2
    assert await bench.dead_letters(topic) == []


async def test_a_failing_handler_is_tried_three_times_more_and_then_the_record_is_a_dead_letter(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    tries: list[str] = []
    seen = bench.Seen()

    async def handler(message: Message) -> None:
        tries.append(message.subject)
        if message.subject == "always" or tries.count(message.subject) < 3:
            raise LookupError("secret words of the payload")
        await seen(message)

    await bench.publish(topic, ["always", "twice"])
    await bench.subscribe(handler, topic)
    await seen.count(1)
    assert tries == ["always"] * 4 + ["twice"] * 3
    (letter,) = await bench.dead_letters(topic)
    assert dict(letter.headers)["dead_letter_error_class"] == b"LookupError"
    assert not any(b"secret" in value for _, value in letter.headers)


async def test_while_something_is_away_nothing_is_acknowledged_and_other_partitions_go_on(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=2)
    away = True
    tries, seen = bench.Seen(), bench.Seen()

    async def handler(message: Message) -> None:
        if message.subject.startswith("a"):
            await tries(message)
            if away:
                raise Unavailable("the database")
        await seen(message)

    member = await bench.subscribe(handler, topic)
    await bench.publish(topic, ["a0", "a1"], partition=0)
    await tries.count(3)
    await bench.publish(topic, ["b0", "b1"], partition=1)
    await seen.count(2)
    assert seen.subjects == ["b0", "b1"]
    assert set(tries.subjects) == {"a0"}
    await bench.committed(member, topic, 1, 2)
    assert await bench.committed_offset(member, topic, 0) is None
    away = False
    await seen.count(4)
    assert seen.subjects[2:] == ["a0", "a1"]


async def test_what_was_unavailable_at_a_stop_is_delivered_again(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    tries = bench.Seen()

    async def unavailable(message: Message) -> None:
        await tries(message)
        raise Unavailable("the database")

    await bench.publish(topic, ["0", "1"])
    member = await bench.subscribe(unavailable, topic, concurrency=2)
    await tries.count(4)
    await member.stop()
    seen = bench.Seen()
    await bench.subscribe(seen, topic)
    await seen.count(2)
    assert seen.subjects == ["0", "1"]


async def test_when_everything_is_invalid_the_subscription_ends_instead_of_draining_the_topic(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    poison = [OutgoingRecord(topic=topic, key=None, value=b"poison", partition=0)] * 100
    assert await bench.bus.publisher.publish(poison) == [None] * 100
    member = await bench.subscribe(bench.Seen(), topic)
    async with asyncio.timeout(bench.PATIENCE):
        error = await member.failed
    assert "20 records in a row" in str(error)
    await member.stop()
    assert len(await bench.dead_letters(topic)) == 19


async def test_a_record_too_large_is_refused_for_good_and_its_neighbours_are_sent(bench: Any) -> None:
    topic = await bench.harness.topic(partitions=1)
    first, last = (bench.record(topic, bench.message(name), partition=0) for name in ("first", "last"))
    large = OutgoingRecord(topic=topic, key=None, value=b"x" * 1_100_000, partition=0)
    nowhere = OutgoingRecord(topic=topic, key=None, value=b"x", partition=7)
    outcomes = await bench.bus.publisher.publish([first, large, nowhere, last])
    assert outcomes[0] is None
    assert outcomes[3] is None
    for refused in outcomes[1:3]:
        assert refused is not None
        assert not refused.retryable
    assert [record.value for record in await bench.harness.records(topic)] == [first.value, last.value]


async def test_nothing_published_is_no_error(bench: Any) -> None:
    assert await bench.bus.publisher.publish([]) == []


async def test_concurrency_of_none_is_refused(bench: Any) -> None:
    with pytest.raises(ValueError, match="concurrency"):
        await bench.subscribe(bench.Seen(), "any", concurrency=0)
