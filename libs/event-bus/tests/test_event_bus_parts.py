"""The small pure parts of the bus: pauses, low-water mark, watchdog, dead letters, the client's log."""

import asyncio
import itertools
import logging
import random
from datetime import UTC, datetime

import pytest
from event_bus import OutgoingRecord
from event_bus.dead_letters import TOPIC, dead_letter, letters, without_value
from event_bus.in_process_log import RETAINED, PartitionLog
from event_bus.incoming import IncomingRecord, Partition
from event_bus.kafka_client_log import OncePerInterval, calm_client_log
from event_bus.low_water import LowWaterMark
from event_bus.retries import RetryPolicy
from event_bus.task_ending import end_tasks
from event_bus.watchdog import SubscriptionStuck, Watchdog
from hypothesis import given
from hypothesis import strategies as st
from message_contracts import InvalidMessage, catalogue

PARTITION = Partition("topic", 0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_handler_gets_50_200_and_800_milliseconds() -> None:
    assert RetryPolicy().failure_pauses == (0.05, 0.2, 0.8)


def test_the_pause_while_something_is_away_doubles_up_to_its_limit() -> None:
    pauses = list(itertools.islice(RetryPolicy().unavailable_pauses(), 8))
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


@given(st.sets(st.integers(0, 60), min_size=1).map(sorted), st.randoms(use_true_random=False), st.integers(0, 60))
def test_the_mark_is_always_before_the_first_record_that_has_not_ended(
    offsets: list[int], order: random.Random, number: int
) -> None:
    offsets_mark = LowWaterMark()
    for offset in offsets:
        offsets_mark.accept(offset)
    ended = set(order.sample(offsets, k=min(number, len(offsets))))
    for offset in order.sample(sorted(ended), k=len(ended)):
        offsets_mark.end(offset)
    before = list(itertools.takewhile(ended.__contains__, offsets))
    assert offsets_mark.committable == (before[-1] + 1 if before else None)
    assert offsets_mark.next == offsets[-1] + 1


def test_an_offset_is_offered_for_commit_until_it_is_committed() -> None:
    offsets = LowWaterMark()
    offsets.accept(7)
    assert offsets.restart == 7
    offsets.end(7)
    before = offsets.committable
    offsets.committed(8)
    assert (before, offsets.committable, offsets.restart) == (8, None, 8)


def test_the_watchdog_barks_when_a_growing_partition_makes_no_progress_for_the_limit() -> None:
    clock = Clock()
    dog = Watchdog(limit=60, clock=clock)
    for second in range(60):
        clock.now = 1000.0 + second
        dog.observe(PARTITION, progress=1, end_offset=10 + second, stands_still=False)
    clock.now = 1060.0
    with pytest.raises(SubscriptionStuck, match="no progress on topic-0 for 60 s"):
        dog.observe(PARTITION, progress=1, end_offset=99, stands_still=False)


@pytest.mark.parametrize("how", ["it moves", "it stands still on purpose", "it does not grow", "it came back"])
def test_the_watchdog_is_quiet_while(how: str) -> None:
    clock = Clock()
    dog = Watchdog(limit=60, clock=clock)
    for second in range(0, 600, 10):
        clock.now = 1000.0 + second
        if how == "it came back":
            dog.keep_only([] if second % 50 == 0 else [PARTITION])
        dog.observe(
            PARTITION,
            progress=second if how == "it moves" else 1,
            end_offset=10 if how == "it does not grow" else 10 + second,
            stands_still=how == "it stands still on purpose",
        )


def test_a_dead_letter_keeps_the_original_and_says_why_where_and_when() -> None:
    record = IncomingRecord("source", 3, 17, b"key", b"bytes", (("ce_type", b"x"), ("dead_letter_topic", b"older")))
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    letter = dead_letter(record, InvalidMessage("data: missing"), service="gateway", group="g", now=now)
    assert (letter.topic, letter.key, letter.value) == (TOPIC, b"key", b"bytes")
    assert letter.headers == (
        ("ce_type", b"x"),
        ("dead_letter_topic", b"source"),
        ("dead_letter_partition", b"3"),
        ("dead_letter_offset", b"17"),
        ("dead_letter_error_class", b"InvalidMessage"),
        ("dead_letter_service", b"gateway"),
        ("dead_letter_group", b"g"),
        ("dead_letter_time", b"2026-01-02T03:04:05+00:00"),
        ("dead_letter_reason", b"data: missing"),
    )


def test_the_words_of_other_errors_never_reach_a_dead_letter() -> None:
    record = IncomingRecord("source", 0, 0, None, None, ())
    letter = dead_letter(record, RuntimeError("a token"), service="s", group="g")
    assert "dead_letter_reason" not in dict(letter.headers)
    assert letter.value == b""


def test_a_dead_letter_that_is_too_large_still_says_where_the_original_lies() -> None:
    record = IncomingRecord("source", 1, 2, b"key", b"x" * 100, (("ce_type", b"y" * 100),))
    small = without_value(dead_letter(record, InvalidMessage("r"), service="s", group="g"))
    headers = dict(small.headers)
    assert small.value == b""
    assert headers["dead_letter_value_left_out"] == b"too large"
    assert (headers["dead_letter_topic"], headers["dead_letter_offset"]) == (b"source", b"2")
    assert "ce_type" not in headers


def test_the_dead_letter_topic_is_the_one_of_the_contracts() -> None:
    assert TOPIC in [topic.name for topic in catalogue.topics()]


def test_a_partition_in_memory_forgets_what_nobody_needs_but_for_the_last_records() -> None:
    log = PartitionLog(PARTITION, compacted=False)
    for number in range(RETAINED + 50):
        log.append(OutgoingRecord(topic="topic", key=None, value=str(number).encode()))
    log.trim(30)
    assert log.read(0, most=1)[0].offset == 30
    log.trim(log.end_offset)
    assert [record.offset for record in log.read(0, most=10_000)] == list(range(50, RETAINED + 50))


def test_a_compacted_partition_in_memory_keeps_the_last_record_of_each_key() -> None:
    log = PartitionLog(PARTITION, compacted=True)
    for key, value in ((b"a", b"1"), (b"b", b"2"), (b"a", b"3")):
        log.append(OutgoingRecord(topic="topic", key=key, value=value))
    log.trim(log.end_offset)
    assert [(record.offset, record.value) for record in log.read(0, most=10)] == [(1, b"2"), (2, b"3")]


def test_the_client_says_the_same_only_once_in_ten_seconds() -> None:
    clock = Clock()
    one = OncePerInterval(seconds=10, clock=clock)

    def passes(template: str, *values: object) -> bool:
        return one.filter(logging.LogRecord("aiokafka", logging.ERROR, "", 0, template, values, None))

    assert passes("no connection to %s", 1)
    assert not passes("no connection to %s", 2)
    assert passes("something else")
    clock.now += 10
    assert passes("no connection to %s", 3)


def test_what_the_client_repairs_by_itself_is_no_error() -> None:
    one = OncePerInterval(clock=Clock())
    template = "Group Coordinator Request failed: %s"
    repaired = logging.LogRecord("aiokafka", logging.ERROR, "", 0, template, ("error 15",), None)
    lost = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "the batch is lost", (), None)
    assert one.filter(repaired)
    assert one.filter(lost)
    assert (repaired.levelname, lost.levelname) == ("WARNING", "ERROR")


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_bus.task_ending._AGAIN_SECONDS", 0.01)
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.Event().wait()

    task = asyncio.ensure_future(stubborn())
    await asyncio.sleep(0)
    await end_tasks([task])
    assert task.cancelled()
    await end_tasks([task])


def test_the_clients_loggers_get_one_filter_each() -> None:
    calm_client_log()
    calm_client_log()
    for name in ("aiokafka", "aiokafka.consumer.fetcher", "aiokafka.consumer.group_coordinator"):
        filters = logging.getLogger(name).filters
        assert len([one for one in filters if isinstance(one, OncePerInterval)]) == 1


def _on_the_dead_letter_topic(headers: dict[str, bytes], value: bytes | None = b"x") -> IncomingRecord:
    return IncomingRecord(TOPIC, 0, 7, None, value, tuple(headers.items()))


_OURS = {
    "dead_letter_topic": b"threadworks.messages.v1",
    "dead_letter_partition": b"1",
    "dead_letter_offset": b"2",
    "dead_letter_error_class": b"KeyError",
    "dead_letter_service": b"gateway",
    "dead_letter_group": b"g",
    "dead_letter_time": b"2026-01-01T00:00:00+00:00",
}


@pytest.mark.parametrize(
    "foreign",
    [
        {},
        {"dead_letter_topic": b"t"},
        _OURS | {"dead_letter_partition": b"many"},
        _OURS | {"dead_letter_offset": b""},
        _OURS | {"dead_letter_time": b"yesterday"},
        {name: value for name, value in _OURS.items() if name != "dead_letter_group"},
        {"dead_letter_replayed": b"\xff\xfe"},
        {"dead_letter_replayed": b""},
    ],
)
def test_what_is_no_dead_letter_of_ours_hides_none_that_is(foreign: dict[str, bytes]) -> None:
    ours = _on_the_dead_letter_topic(_OURS)
    found = letters([_on_the_dead_letter_topic(foreign, None), ours])
    assert [(each.id, each.topic, each.offset, each.replayed) for each in found] == [
        ("0/7", "threadworks.messages.v1", 2, False)
    ]


def test_a_letter_whose_time_has_no_zone_is_sorted_among_the_others() -> None:
    without_zone = _OURS | {"dead_letter_time": b"2025-06-01T00:00:00"}
    found = letters([_on_the_dead_letter_topic(_OURS), _on_the_dead_letter_topic(without_zone)])
    assert [each.time.year for each in found] == [2025, 2026]
