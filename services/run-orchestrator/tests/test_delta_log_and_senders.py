"""What a slot is told of a run: everything, in order, in as few records as there is time for."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_contracts import Message, codec
from run_engine.domain.objects import Run
from run_engine.domain.stream_slots import for_news
from run_engine.store.streams import StoredEvent
from run_orchestrator.adapters.deltas import DeltaPublisher
from run_orchestrator.application.delta_log import OF_A_PIECE, RECORD_SIZE, DeltaLog
from run_orchestrator.application.delta_senders import DeltaSenders
from run_orchestrator.application.reply import CallBegins, Fragment

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass
class Streamed:
    id: str = "run_1"
    tenant_id: str = "t"
    seq: int = 2
    stream_slots: frozenset[int] = frozenset({3})


CLAIM = {
    "seq": 2,
    "type": "threadworks.run.in_progress.v1",
    "subject": "run_1",
    "data": {"run": {"id": "run_1"}},
    "created_at": NOW.isoformat(),
}


def a_log(number: int = 1, *slots: int) -> DeltaLog:
    return DeltaLog(cast(Run, Streamed(id=f"run_{number}", stream_slots=frozenset(slots or (3,)))))


def opened(seq: int, step: str) -> StoredEvent:
    return StoredEvent("t", "run_1", seq, "threadworks.run-step.created.v1", step, {"step": {"id": step}}, NOW)


def test_texts_that_follow_each_other_are_one_piece() -> None:
    log = a_log()
    log.claimed(CLAIM)
    log.event(opened(3, "step_1"))
    for text in ("Hel", "lo", " 👋"):
        log.text("step_1", Fragment("text", text))
    log.text("step_1", Fragment("refusal", "no"))
    log.text("step_1", Fragment("text", "!"))
    log.committed()
    pieces, end, _ = log.pieces(0, RECORD_SIZE)
    assert end == len(log)
    owner = {"tenant_id": "t", "run_id": "run_1"}
    assert pieces[0] == {**owner, "event": CLAIM}
    assert pieces[1]["event"]["seq"] == 3
    assert pieces[2:] == [
        {**owner, "step_id": "step_1", "part": "text", "offset": 0, "text": "Hello 👋"},
        {**owner, "step_id": "step_1", "part": "refusal", "offset": 0, "text": "no"},
        {**owner, "step_id": "step_1", "part": "text", "offset": 7, "text": "!"},
        {**owner, "seq": 4},
    ]


def test_each_call_begins_a_piece() -> None:
    log = a_log()
    log.text("s", Fragment(0, "", CallBegins("call_a", "f")))
    log.text("s", Fragment(0, '{"x":'))
    log.text("s", Fragment(0, "1}"))
    log.text("s", Fragment(1, "", CallBegins("call_b", "g")))
    pieces, _, _ = log.pieces(0, RECORD_SIZE)
    assert [(piece["part"], piece["offset"], piece["text"], piece.get("call")) for piece in pieces] == [
        (0, 0, '{"x":1}', {"id": "call_a", "name": "f"}),
        (1, 0, "", {"id": "call_b", "name": "g"}),
    ]


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=30), st.integers(OF_A_PIECE + 40, 600))
def test_however_small_the_records_are_all_of_the_text_is_in_them(texts: list[str], room: int) -> None:
    log, place, told = a_log(), 0, ""
    for text in texts:
        log.text("s", Fragment("text", text))
    while place < len(log):
        pieces, after, size = log.pieces(place, room)
        assert after > place
        assert size <= room
        place = after
        for piece in pieces:
            assert piece["offset"] == len(told)
            told += piece["text"]
    assert told == "".join(texts)


def test_a_text_that_no_record_holds_is_cut() -> None:
    log = a_log()
    log.text("s", Fragment(0, "x" * (2 * RECORD_SIZE + 5), CallBegins("call_a", "f")))
    found, place = [], 0
    while place < len(log):
        pieces, place, size = log.pieces(place, RECORD_SIZE)
        assert size <= RECORD_SIZE
        found += pieces
    most = RECORD_SIZE - OF_A_PIECE
    assert [(piece["offset"], len(piece["text"]), "call" in piece) for piece in found] == [
        (0, most, True),
        (most, most, False),
        (2 * most, 2 * OF_A_PIECE + 5, False),
    ]


class Slots:
    """Takes records; each waits for `release` when it is `slow`, and the next ones fail when so asked."""

    def __init__(self) -> None:
        self.records: list[tuple[int, list[Any]]] = []
        self.slow = False
        self.failures = 0
        self.pauses = 0
        self._gate = asyncio.Semaphore(0)
        self._changed = asyncio.Condition()

    async def send(self, slot: int, pieces: Sequence[Any]) -> bool:
        async with self._changed:
            self.records.append((slot, list(pieces)))
            self._changed.notify_all()
        if self.slow:
            await self._gate.acquire()
        if self.failures:
            self.failures -= 1
            return False
        return True

    async def pause(self, seconds: float) -> None:
        self.pauses += 1

    def release(self) -> None:
        self._gate.release()

    async def sent(self, number: int) -> None:
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: len(self.records) >= number)


async def test_one_record_is_in_flight_and_the_next_has_all_that_came_meanwhile() -> None:
    slots = Slots()
    slots.slow = True
    senders = DeltaSenders(slots.send, slots.pause)
    first, second = a_log(1), a_log(2)
    first.text("s", Fragment("text", "a"))
    senders.wake(first)
    await slots.sent(1)
    for text in "bcd":
        first.text("s", Fragment("text", text))
        senders.wake(first)
        second.text("s", Fragment("text", text))
        senders.wake(second)
    assert len(slots.records) == 1
    slots.release()
    await slots.sent(2)
    slots.release()
    await senders.drain()
    assert [[(piece["run_id"], piece["text"]) for piece in pieces] for _, pieces in slots.records] == [
        [("run_1", "a")],
        [("run_1", "bcd"), ("run_2", "bcd")],
    ]


async def test_whoever_joins_late_is_told_all_of_it() -> None:
    slots = Slots()
    senders = DeltaSenders(slots.send, slots.pause)
    log = a_log(1, 3)
    log.text("s", Fragment("text", "from the "))
    senders.wake(log)
    await senders.drain()
    log.slots = frozenset({3, 9})
    senders.wake(log)
    log.text("s", Fragment("text", "beginning"))
    senders.wake(log)
    await senders.drain()
    told = dict.fromkeys((3, 9), "")
    for slot, pieces in slots.records:
        for piece in pieces:
            assert piece["offset"] == len(told[slot])
            told[slot] += piece["text"]
    assert told == {3: "from the beginning", 9: "from the beginning"}


async def test_a_run_is_written_for_those_who_read_and_told_to_those_who_wait() -> None:
    slots = Slots()
    senders = DeltaSenders(slots.send, slots.pause)
    log = a_log(1, for_news(3))
    assert (log.slots, log.streamed) == ({3}, False)
    assert not log.tell_to({for_news(3)})
    log.committed()
    senders.wake(log)
    await senders.drain()
    assert [slot for slot, _ in slots.records] == [3]
    assert log.tell_to({for_news(3), 3})
    assert (log.slots, log.streamed) == ({3}, True)
    assert log.tell_to({for_news(3), 9})
    assert (log.slots, log.streamed) == ({3, 9}, True)


async def test_what_could_not_be_sent_is_sent_again() -> None:
    slots = Slots()
    slots.failures = 2
    senders = DeltaSenders(slots.send, slots.pause)
    log = a_log()
    log.text("s", Fragment("text", "a"))
    senders.wake(log)
    await senders.drain()
    assert [pieces[0]["text"] for _, pieces in slots.records] == ["a", "a", "a"]
    assert slots.pauses == 2


async def test_a_run_that_is_over_is_not_sent_again() -> None:
    slots = Slots()
    slots.failures = 1
    senders = DeltaSenders(slots.send, slots.pause)
    log = a_log()
    log.text("s", Fragment("text", "a"))
    log.ended = True
    senders.wake(log)
    await senders.drain()
    assert len(slots.records) == 1


class Bus:
    """Takes every record."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    async def publish(self, records: Sequence[Any]) -> list[None]:
        self.records += records
        return [None] * len(records)

    def messages(self) -> list[Message]:
        return [codec.decode(record.headers, record.value) for record in self.records]


def interleaved(log: DeltaLog) -> None:
    for number in range(10_000):
        log.text("step_1", Fragment(number % 2, "abcd"))


def of_the_widest(log: DeltaLog) -> None:
    log.text("step_1", Fragment("text", "\x01" * (RECORD_SIZE - OF_A_PIECE - 1)))


@pytest.mark.parametrize("write", [interleaved, of_the_widest])
async def test_no_record_is_too_large_whatever_is_in_it(write: Callable[[DeltaLog], None]) -> None:
    bus = Bus()
    senders = DeltaSenders(DeltaPublisher(bus, lambda: NOW).send, asyncio.sleep)
    logs = [a_log(number) for number in range(3)]
    written = 0
    for log in logs:
        write(log)
        written += sum(len(piece["text"]) for piece in log.pieces(0, 10**9)[0])
        senders.wake(log)
    await senders.drain()
    told = sum(len(piece["text"]) for message in bus.messages() for piece in message.data["pieces"])
    assert told == written


async def test_what_cannot_be_sent_keeps_nothing_else_from_being_sent() -> None:
    slots = Slots()

    async def send(slot: int, pieces: Sequence[Any]) -> bool:
        await slots.send(slot, pieces)
        if pieces[0]["text"] == "bad":
            raise ValueError("no such text")
        return True

    senders = DeltaSenders(send, slots.pause)
    for number, text in enumerate(["bad", "good"]):
        log = a_log(number)
        log.text("s", Fragment("text", text))
        senders.wake(log)
        await senders.drain()
    log.text("s", Fragment("text", "again"))
    senders.wake(log)
    await senders.drain()
    assert [pieces[0]["text"] for _, pieces in slots.records] == ["bad", "good", "again"]


async def test_records_keep_the_contract() -> None:
    bus = Bus()
    log = a_log()
    log.claimed(CLAIM)
    log.event(opened(3, "step_1"))
    log.text("step_1", Fragment(0, "{}", CallBegins("call_a", "f")))
    pieces, _, _ = log.pieces(0, RECORD_SIZE)
    assert await DeltaPublisher(bus, lambda: NOW).send(7, pieces)
    (record,) = bus.records
    assert (record.topic, record.partition, record.key) == ("threadworks.run-deltas.v1", 7, None)
    (message,) = bus.messages()
    assert (message.subject, message.data["pieces"]) == ("slot/7", pieces)
