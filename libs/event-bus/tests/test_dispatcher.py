"""What the dispatcher and its lanes do that neither implementation can be made to show reliably."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from event_bus import Message, Outcome, OutgoingRecord, PublishError, Unavailable
from event_bus.delivery import Ending
from event_bus.dispatcher import POISON_LIMIT, Dispatcher, EverythingFails
from event_bus.in_process_log import LARGEST_RECORD
from event_bus.incoming import IncomingRecord, Partition
from event_bus.lane import HIGH
from event_bus.retries import RetryPolicy
from message_contracts import codec

ONE, TWO = Partition("topic", 0), Partition("topic", 1)
NO_PAUSES = RetryPolicy(failure_pauses=(0, 0, 0), unavailable_first=0.001, unavailable_limit=0.001)


class Published:
    """A publisher that says what it is told to say."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.records: list[OutgoingRecord] = []
        self._outcomes = list(outcomes)

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
        self.records += records
        return [self._outcomes.pop(0) if self._outcomes else None for _ in records]


Make = Callable[..., Dispatcher]


@pytest.fixture
def make(make_message: Callable[..., Message]) -> Make:
    def build(handler: Callable[[Message], Awaitable[None]], **changes: Any) -> Dispatcher:
        values: dict[str, Any] = {
            "group": "group",
            "service": "service",
            "handlers": {make_message("x").type: handler},
            "publisher": Published(),
            "concurrency": 1,
            "retries": NO_PAUSES,
            "on_progress": lambda: None,
            "on_room": lambda _: None,
            **changes,
        }
        return Dispatcher(**values)

    return build


@pytest.fixture
def incoming(make_message: Callable[..., Message]) -> Callable[..., list[IncomingRecord]]:
    def build(*offsets: int) -> list[IncomingRecord]:
        found = []
        for offset in offsets:
            value, headers = codec.encode(make_message(str(offset)))
            found.append(IncomingRecord("topic", 0, offset, None, value, headers))
        return found

    return build


async def nothing(_: Message) -> None:
    pass


async def test_fetching_stops_at_a_full_lane_and_goes_on_when_half_of_it_is_worked_off(
    make: Make, incoming: Any, seen: Any
) -> None:
    gate = asyncio.Event()
    room: list[Partition] = []

    async def handler(message: Message) -> None:
        await gate.wait()
        await seen(message)

    dispatcher = make(handler, on_room=room.append)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, incoming(*range(HIGH + 10)))
    assert dispatcher.full == {ONE}
    assert room == []
    gate.set()
    await seen.count(HIGH + 10)
    assert dispatcher.full == set()
    assert room == [ONE]
    assert dispatcher.committable() == {ONE: HIGH + 10}
    await dispatcher.stop()


async def test_records_of_a_partition_that_is_not_ours_are_dropped(make: Make, incoming: Any) -> None:
    dispatcher = make(nothing)
    dispatcher.feed(ONE, incoming(1))
    assert dispatcher.lanes == {}
    await dispatcher.stop()


async def test_what_comes_again_after_a_rebalance_is_not_handled_again(make: Make, incoming: Any, seen: Any) -> None:
    dispatcher = make(seen)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, incoming(0, 1, 2, 3))
    await seen.count(4)
    dispatcher.committed({ONE: 2})
    dispatcher.suspend()
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, incoming(2))
    dispatcher.feed(ONE, incoming(3, 4))
    dispatcher.feed(ONE, incoming(5))
    await seen.count(6)
    assert seen.subjects == ["0", "1", "2", "3", "4", "5"]
    assert dispatcher.committable() == {ONE: 6}
    await dispatcher.stop()


async def test_a_log_that_starts_anew_is_read_anew(make: Make, incoming: Any, seen: Any) -> None:
    dispatcher = make(seen)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, incoming(5, 6))
    await seen.count(2)
    dispatcher.committed({ONE: 7})
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, incoming(0, 1))
    await seen.count(4)
    assert dispatcher.committable() == {ONE: 2}
    await dispatcher.stop()


async def test_what_ends_after_its_partition_went_away_counts_no_more(make: Make, incoming: Any, seen: Any) -> None:
    gate = asyncio.Event()
    progress: list[None] = []

    async def handler(message: Message) -> None:
        await seen(message)
        await gate.wait()

    dispatcher = make(handler, on_progress=lambda: progress.append(None))
    dispatcher.assign([ONE, TWO])
    dispatcher.feed(ONE, incoming(0, 1))
    await seen.count(1)
    dispatcher.assign([TWO])
    gate.set()
    await dispatcher.stop()
    assert seen.subjects == ["0"]
    assert progress == []
    assert dispatcher.committable() == {}


async def test_a_rebalance_waits_for_running_handlers_but_not_for_ever(make: Make, incoming: Any, seen: Any) -> None:
    async def handler(message: Message) -> None:
        await seen(message)
        await asyncio.Event().wait()

    dispatcher = make(handler)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, incoming(0))
    await seen.count(1)
    dispatcher.suspend()
    await dispatcher.settled(0.01)
    await dispatcher.stop(0.01)
    assert dispatcher.committable() == {}


async def test_a_stop_cancels_handlers_that_do_not_end(make: Make, incoming: Any, seen: Any) -> None:
    cancelled: list[str] = []

    async def handler(message: Message) -> None:
        await seen(message)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(message.subject)
            raise

    dispatcher = make(handler, concurrency=2)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, incoming(0, 1, 2))
    await seen.count(2)
    await dispatcher.stop(0.01)
    assert sorted(cancelled) == ["0", "1"]


async def test_with_concurrency_nothing_new_is_started_while_something_is_away(
    make: Make, incoming: Any, seen: Any
) -> None:
    tries: list[str] = []
    away = True

    async def handler(message: Message) -> None:
        tries.append(message.subject)
        if away and len(tries) > 3:
            await seen(message)
        if away:
            raise Unavailable("x")

    dispatcher = make(handler, concurrency=2)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, incoming(0, 1, 2, 3))
    await seen.count(6)
    assert set(tries) == {"0", "1"}
    away = False
    async with asyncio.timeout(5):
        while dispatcher.committable() != {ONE: 4}:
            await asyncio.sleep(0)
    await dispatcher.stop()


async def test_one_success_starts_the_count_of_dead_letters_anew(make: Make, incoming: Any, seen: Any) -> None:
    published = Published()
    dispatcher = make(seen, publisher=published)
    dispatcher.assign([ONE])
    poison = [IncomingRecord("topic", 0, offset, None, b"?", ()) for offset in range(POISON_LIMIT - 1)]
    dispatcher.feed(ONE, poison)
    dispatcher.feed(ONE, incoming(100))
    dispatcher.feed(ONE, [record._replace(offset=record.offset + 200) for record in poison])
    dispatcher.feed(ONE, incoming(300))
    await seen.count(2)
    assert len(published.records) == 2 * (POISON_LIMIT - 1)
    assert not dispatcher.failed.done()
    await dispatcher.stop()


async def test_when_everything_fails_nothing_more_is_taken(make: Make) -> None:
    dispatcher = make(nothing)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, [IncomingRecord("topic", 0, offset, None, b"?", ()) for offset in range(50)])
    assert isinstance(await dispatcher.failed, EverythingFails)
    dispatcher.feed(ONE, [IncomingRecord("topic", 0, 60, None, b"?", ())])
    assert dispatcher.committable() == {ONE: POISON_LIMIT - 1}
    assert dispatcher.counts["topic", Ending.DEAD_LETTERED] == POISON_LIMIT - 1
    await dispatcher.stop()


async def test_a_record_waits_while_its_dead_letter_cannot_be_written(make: Make, incoming: Any, seen: Any) -> None:
    away = PublishError(retryable=True, reason="no broker")
    published = Published(away, away, None)
    dispatcher = make(seen, publisher=published)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, [IncomingRecord("topic", 0, 0, b"k", b"?", ())])
    dispatcher.feed(ONE, incoming(1))
    await seen.count(1)
    assert [record.value for record in published.records] == [b"?"] * 3
    await dispatcher.stop()


async def test_a_dead_letter_that_is_refused_for_good_is_written_without_its_value(make: Make, seen: Any) -> None:
    published = Published(PublishError(retryable=False, reason="too large"), None)
    dispatcher = make(seen, publisher=published)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, [IncomingRecord("topic", 0, 0, b"k", b"x" * LARGEST_RECORD, ())])
    async with asyncio.timeout(5):
        while dispatcher.committable() != {ONE: 1}:
            await asyncio.sleep(0)
    assert [len(record.value) for record in published.records] == [LARGEST_RECORD, 0]
    await dispatcher.stop()


async def test_a_fault_of_our_own_ends_the_subscription_instead_of_losing_a_record(make: Make) -> None:
    class Broken(Published):
        async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
            raise KeyError("a bug")

    dispatcher = make(nothing, publisher=Broken())
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, [IncomingRecord("topic", 0, 0, None, b"?", ())])
    assert isinstance(await dispatcher.failed, KeyError)
    assert dispatcher.committable() == {}
    await dispatcher.stop()


async def test_each_try_of_a_handler_happens_within_what_surrounds_it(
    make: Make, incoming: Callable[..., list[IncomingRecord]]
) -> None:
    told: list[str] = []
    done = asyncio.Event()

    @contextmanager
    def around(message: Message) -> Iterator[None]:
        told.append(f"{message.subject} begins")
        try:
            yield
        except ValueError:
            told.append(f"{message.subject} fails")
            raise
        told.append(f"{message.subject} ends")
        done.set()

    async def handler(_: Message) -> None:
        if len(told) == 1:
            raise ValueError

    dispatcher = make(handler, around=around)
    dispatcher.assign([ONE])
    dispatcher.feed(ONE, incoming(0))
    await done.wait()
    assert told == ["0 begins", "0 fails", "0 begins", "0 ends"]
    await dispatcher.stop()
