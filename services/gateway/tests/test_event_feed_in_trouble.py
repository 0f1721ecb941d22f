"""The event feed when something is slow, away or over. On a bus of the test's own, without a database or a socket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest
import pytest_asyncio
from fastapi import FastAPI
from feed_subscriber import FeedSubscriber
from gateway.application.authentication import Authentication
from gateway.application.event_feed import feed as feed_module
from gateway.application.event_feed import live as live_module
from gateway.application.event_feed.feed import EventFeed
from gateway.application.event_feed.places import SealedPlaces
from gateway.application.event_feed.ports import Batch, Place
from gateway.entrypoints.http.app import build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.openai.event_feed import event_feed_surface
from gateway.entrypoints.http.openai.streaming import feed_stream
from run_engine.errors import DatabaseUnavailable
from run_engine.store.tenants import Principal

TOPIC = "threadworks.run-events.v1"
QUEUED = "threadworks.run.queued.v1"


class Event:
    def __init__(self, number: int, partition: int, offset: int, tenant: str) -> None:
        self.number = number
        self.position = (TOPIC, partition)
        self.offset = offset
        self.tenant = tenant
        self.type = QUEUED
        self.thread_id = f"thread_{partition}"

    def structured(self) -> bytes | None:
        return orjson.dumps({"specversion": "1.0", "id": str(self.number), "type": self.type})


class Topic:
    """What lies on a topic of two partitions, and those who read it; it may be away, or have lost what is old."""

    def __init__(self) -> None:
        self.partitions: list[list[Event]] = [[], []]
        self.kept_from = [0, 0]
        self.away = asyncio.Event()
        self.away.set()
        self.news = asyncio.Condition()
        self.opened: list[Place | None] = []
        self.open = 0
        self.most_open = 0

    async def publish(self, *numbers: int, tenant: str = "ada", partition: int | None = None) -> None:
        for number in numbers:
            at = number % 2 if partition is None else partition
            log = self.partitions[at]
            log.append(Event(number, at, len(log), tenant))
        async with self.news:
            self.news.notify_all()

    async def open_log(self, place: Place | None) -> "Log":
        self.opened.append(place)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        return Log(self, place)


class Log:
    def __init__(self, topic: Topic, place: Place | None) -> None:
        self._topic = topic
        self._place = None if place is None else dict(place)
        self._first = True

    async def read(self) -> Batch:
        topic = self._topic
        await topic.away.wait()
        if self._first:
            self._first = False
            ends = {(TOPIC, number): len(log) for number, log in enumerate(topic.partitions)}
            wanted = ends if self._place is None else {position: self._place.get(position, 0) for position in ends}
            self._place = {(TOPIC, n): max(topic.kept_from[n], wanted[TOPIC, n]) for n in range(2)}
            return Batch((), dict(self._place), lost=self._place != wanted)
        while True:
            await topic.away.wait()
            assert self._place is not None
            found: list[Event] = []
            for number, log in enumerate(topic.partitions):
                new = log[self._place[TOPIC, number] :][:50]
                self._place[TOPIC, number] += len(new)
                found += new
            if found:
                return Batch(found, dict(self._place), lost=False)
            async with topic.news:
                await topic.news.wait()

    async def stop(self) -> None:
        self._topic.open -= 1


class Keys:
    """Every key is its tenant's name, until it is revoked."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.away = False

    async def authenticate(self, key: str) -> Principal | None:
        if self.away:
            raise DatabaseUnavailable
        return None if key in self.revoked else Principal(key, key, frozenset({"events"}))


class Secret:
    async def feed_key(self) -> bytes:
        return b"k" * 32


class World:
    def __init__(self) -> None:
        self.topic = Topic()
        self.keys = Keys()
        self.feed = EventFeed(self.topic.open_log, SealedPlaces(Secret(), (TOPIC,)), frozenset({QUEUED}))
        self.app: FastAPI = build_app(
            [event_feed_surface(Authentication(self.keys, clock=lambda: 0.0, most=1), self.feed)],
            largest_body=1024,
            draining=Draining(),
        )
        self.subscribers: list[FeedSubscriber] = []

    def subscriber(self, tenant: str = "ada", **how: Any) -> FeedSubscriber:
        self.subscribers.append(FeedSubscriber(self.app, tenant, **how))
        return self.subscribers[-1]

    async def standing(self, tenant: str = "ada", **how: Any) -> FeedSubscriber:
        return await self.subscriber(tenant, **how).stands()


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.topic.away.set()
    for subscriber in world.subscribers:
        await subscriber.leave()
    assert world.feed.subscribers == 0
    await world.feed.stop()
    assert world.topic.open == 0, "every reader was closed"


def numbers(subscriber: FeedSubscriber) -> list[int]:
    return [int(event["id"]) for event in subscriber.events]


async def all_of(subscribers: Sequence[FeedSubscriber], count: int) -> None:
    await asyncio.gather(*(each.count(count) for each in subscribers))


async def test_a_hundred_subscribers_share_one_reader_which_ends_with_the_last(world: World) -> None:
    subscribers = await asyncio.gather(*(world.standing() for _ in range(100)))
    await world.topic.publish(*range(200))
    await all_of(subscribers, 200)
    assert all(sorted(numbers(each)) == list(range(200)) for each in subscribers)
    assert (world.topic.opened, world.feed.subscribers) == ([None], 100)
    await asyncio.gather(*(each.leave() for each in subscribers))
    async with asyncio.timeout(5):
        while world.topic.open:
            await asyncio.sleep(0)
    await (await world.standing()).leave()
    assert len(world.topic.opened) == 2


async def test_a_hundred_come_back_at_once_and_few_of_them_read_by_themselves_at_a_time(world: World) -> None:
    place = (await world.standing()).last_id
    await world.topic.publish(*range(700))
    back = [world.subscriber(last=place) for _ in range(100)]
    await all_of(back, 700)
    await world.topic.publish(*range(700, 720))
    await all_of(back, 720)
    for each in back:
        assert sorted(numbers(each)) == list(range(720))
        assert [number for number in numbers(each) if number % 2] == list(range(1, 720, 2)), "in order"
    assert world.topic.most_open <= 1 + 8
    assert world.topic.open == 1


async def test_who_reads_slowly_holds_up_nobody_and_is_cut_off_with_a_place_to_go_on_from(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "MOST_WAITING", 30)
    slow, quick = await world.standing(), await world.standing()
    await world.topic.publish(0)
    await slow.count(1)
    slow.pause()
    for number in range(1, 100):
        await world.topic.publish(number)
        await quick.count(number + 1)
    slow.go_on()
    await slow.end()
    assert slow.named[-1][0] == "error"
    assert slow.named[-1][1]["error"]["code"] == "subscriber_too_slow"
    assert 1 <= len(numbers(slow)) < 40
    again = world.subscriber(last=slow.last_id)
    await again.count(100 - len(numbers(slow)))
    assert sorted(numbers(slow) + numbers(again)) == list(range(100))


async def test_who_catches_up_slowly_is_read_for_at_its_own_pace(world: World) -> None:
    quick = await world.standing()
    place = quick.last_id
    many = live_module.MOST_WAITING + 700
    for first in range(0, many, 100):
        await world.topic.publish(*range(first, first + 100))
        await quick.until(lambda first=first: f'"id":"{first + 99}"'.encode() in quick.raw)  # type: ignore[misc]
    slow = world.subscriber(last=place)
    slow.pause()
    await world.topic.publish(many)
    await quick.until(lambda: f'"id":"{many}"'.encode() in quick.raw)
    slow.go_on()
    await slow.until(lambda: f'"id":"{many}"'.encode() in slow.raw)
    assert world.topic.most_open == 2
    assert sorted(numbers(slow)) == list(range(many + 1))


async def test_an_id_whose_events_are_gone_begins_with_the_earliest_kept_and_says_so(world: World) -> None:
    place = (await world.standing()).last_id
    await world.topic.publish(*range(10))
    world.topic.kept_from = [3, 0]
    subscriber = world.subscriber(last=place)
    await subscriber.count(7)
    assert sorted(numbers(subscriber)) == [1, 3, 5, 6, 7, 8, 9]
    assert [name for name, _, _ in subscriber.named].count("gap") == 1
    name, data, identity = subscriber.named[0]
    assert name == "gap"
    assert data["message"].startswith("Events before this one are not kept any more.")
    again = world.subscriber(last=identity)
    await again.count(7)
    assert "gap" not in [name for name, _, _ in again.named]


async def test_while_the_bus_is_away_a_stream_stays_with_heartbeats_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_stream, "HEARTBEAT_SECONDS", 0.02)
    before = await world.standing()
    world.topic.away.clear()
    during = world.subscriber()
    beats = before.raw.count(b": keepalive\n")
    await before.until(lambda: before.raw.count(b": keepalive\n") >= beats + 3)
    await during.until(lambda: during.raw.count(b": keepalive\n") >= 3)
    await world.topic.publish(1)
    assert numbers(before) == []
    world.topic.away.set()
    await before.count(1)
    await world.topic.publish(2)
    await all_of([during], 1)
    await before.count(2)
    assert sorted(numbers(before)) == [1, 2]


async def test_the_place_of_a_quiet_subscriber_moves_on_at_fixed_times(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_stream, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(feed_stream, "PLACE_BEATS", 5)
    quiet = await world.standing("bob")
    first = quiet.last_id
    await world.topic.publish(*range(10))
    await quiet.until(lambda: len(quiet.blocks) >= 4)
    assert all(set(block) == {"id"} for block in quiet.blocks), "there is nothing that a client would take for an event"
    assert len({block["id"] for block in quiet.blocks}) == len(quiet.blocks), "ids differ whatever happens"
    world.topic.kept_from = [5, 5]
    await quiet.until(lambda: len(quiet.blocks) >= 6)
    await world.topic.publish(11, tenant="bob")
    late = world.subscriber("bob", last=quiet.last_id)
    await late.count(1)
    assert [name for name, _, _ in late.named] == [QUEUED], "its place was new enough"
    early = world.subscriber("bob", last=first)
    await early.count(1)
    assert [name for name, _, _ in early.named] == ["gap", QUEUED]


async def test_a_stream_ends_soon_after_its_key_was_revoked_and_not_while_nobody_can_tell(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_stream, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(feed_stream, "KEY_SECONDS", 0.02)
    subscriber, other = await world.standing(), await world.standing("bob")
    # The answers for these two push each other out of the memory for one, so each look asks the database.
    world.keys.away = True
    for each in (subscriber, other):
        beats = each.raw.count(b"keepalive")
        await each.until(lambda each=each, beats=beats: each.raw.count(b"keepalive") >= beats + 10)  # type: ignore[misc]
    world.keys.revoked.add("ada")
    world.keys.away = False
    await subscriber.end()
    assert subscriber.named[-1][1]["error"]["code"] == "invalid_api_key"
    await world.topic.publish(1, tenant="bob")
    await other.count(1)


async def test_streams_end_when_the_gateway_stops_and_nobody_is_let_in(world: World) -> None:
    streams = [await world.standing() for _ in range(3)]
    await world.topic.publish(1)
    await all_of(streams, 1)
    world.feed.end()
    for stream in streams:
        assert (await stream.end()).endswith(b"\n\n")
        assert numbers(stream) == [1]
        assert "error" not in [name for name, _, _ in stream.named]
    late = world.subscriber()
    await late.end()
    assert (late.status, orjson.loads(late.raw)["error"]["code"]) == (503, "service_unavailable")


async def test_there_are_only_so_many_subscribers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "MOST_OF_ONE_TENANT", 2)
    monkeypatch.setattr(feed_module, "MOST_SUBSCRIBERS", 3)
    first = await world.standing()
    await world.standing()
    await world.standing("bob")
    for tenant, most in (("ada", 2), ("eve", 3)):
        refused = world.subscriber(tenant)
        await refused.end()
        error = orjson.loads(refused.raw)["error"]
        assert (refused.status, error["code"]) == (429, "too_many_subscribers")
        assert f"there may be {most} at once" in error["message"]
    await first.leave()
    await world.standing("eve")


async def test_a_failing_reader_is_opened_again_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "_AGAIN_SECONDS", 0.0)
    subscriber = await world.standing()
    await world.topic.publish(0)
    await subscriber.count(1)
    healthy = Log.read
    failed = asyncio.Event()

    async def fails(log: Log) -> Batch:
        failed.set()
        raise RuntimeError("a fault of the client")

    monkeypatch.setattr(Log, "read", fails)
    await world.topic.publish(2)
    async with asyncio.timeout(5):
        await failed.wait()
    monkeypatch.setattr(Log, "read", healthy)
    await world.topic.publish(4)
    await subscriber.count(3)
    assert numbers(subscriber) == [0, 2, 4]
