"""`GET /v1/events`: what a subscriber is told, of whom, and from where on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio
from event_bus import OutgoingRecord
from event_bus.in_process import InProcessBus
from feed_subscriber import FeedSubscriber
from gateway.application.event_feed.feed import EventFeed
from message_contracts import Message, catalogue, codec
from message_contracts.examples import examples
from run_engine.store.tenants import Tenants
from starlette.types import ASGIApp

EXAMPLES = {each.type: each.data for each in examples() if each.valid}


class Feed:
    """Publishes events as the relay does, and makes subscribers that leave with the test."""

    def __init__(self, app: ASGIApp, bus: InProcessBus) -> None:
        self.app, self.bus = app, bus
        self.subscribers: list[FeedSubscriber] = []

    def subscriber(self, caller: Any, **how: Any) -> FeedSubscriber:
        subscriber = FeedSubscriber(self.app, caller.key, **how)
        self.subscribers.append(subscriber)
        return subscriber

    async def standing(self, caller: Any, **how: Any) -> FeedSubscriber:
        return await self.subscriber(caller, **how).stands()

    async def publish(
        self, caller: Any, name: str = "run.queued", *, thread: str = "thread_1", seq: int = 1, data: Any = None
    ) -> str:
        """Publish an event of a tenant; returns its id."""
        type_ = f"threadworks.{name}.v1"
        message = Message(
            type=type_,
            source="/threadworks/gateway",
            subject="run_1",
            tenant=caller.tenant,
            data=EXAMPLES[type_] if data is None else data,
            id=uuid4().hex,
            time=datetime.now(UTC),
            seq=seq,
            correlation_id="run_1",
        )
        value, headers = codec.encode(message)
        record = OutgoingRecord(topic=catalogue.topic_of(type_), key=thread.encode(), value=value, headers=headers)
        assert await self.bus.publisher.publish([record]) == [None]
        return message.id


@pytest_asyncio.fixture
async def feeds(app: ASGIApp, bus: InProcessBus) -> AsyncIterator[Feed]:
    feeds = Feed(app, bus)
    yield feeds
    for subscriber in feeds.subscribers:
        await subscriber.leave()


def ids(subscriber: FeedSubscriber) -> list[str]:
    return [event["id"] for event in subscriber.events]


async def test_an_event_is_told_whole_under_its_type(feeds: Feed, caller: Any) -> None:
    subscriber = await feeds.standing(caller)
    assert subscriber.headers["content-type"] == "text/event-stream; charset=utf-8"
    event_id = await feeds.publish(caller, "run.completed", thread="thread_9", seq=12)
    (event,) = await subscriber.count(1)
    ((name, _, place),) = subscriber.named
    assert name == event["type"] == "threadworks.run.completed.v1"
    assert place
    assert event.pop("time").endswith("Z")
    assert event == {
        "specversion": "1.0",
        "id": event_id,
        "source": "/threadworks/gateway",
        "type": "threadworks.run.completed.v1",
        "subject": "run_1",
        "dataschema": "urn:threadworks:contracts:messages:run.completed:v1",
        "datacontenttype": "application/json",
        "tenant": caller.tenant,
        "seq": 12,
        "correlationid": "run_1",
        "data": EXAMPLES["threadworks.run.completed.v1"],
    }


async def test_what_really_happens_to_a_run_is_told_in_order(feeds: Feed, caller: Any) -> None:
    subscriber = await feeds.standing(caller)
    run = await caller.run()
    await caller.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    events = await subscriber.count(3)
    of_run = [event for event in events if event["type"] != "threadworks.message.created.v1"]
    assert [event["type"] for event in of_run] == ["threadworks.run.queued.v1", "threadworks.run.cancelled.v1"]
    assert [event["seq"] for event in of_run] == [1, 2]
    assert {event["tenant"] for event in events} == {caller.tenant}
    assert of_run[0]["data"]["run"]["id"] == run["id"]
    (message,) = [event for event in events if event not in of_run]
    assert message["data"]["message"]["content"][0]["text"]["value"] == "hello"
    assert "seq" not in message, "it is no part of the run's own history"


async def test_a_subscriber_hears_of_its_own_tenant_alone(feeds: Feed, new_caller: Any) -> None:
    ada, bob = await new_caller(), await new_caller()
    of_ada, of_bob = await feeds.standing(ada), await feeds.standing(bob)
    mine, theirs = [], []
    for number in range(20):
        mine.append(await feeds.publish(ada, thread=f"thread_{number % 3}"))
        theirs.append(await feeds.publish(bob, thread=f"thread_{number % 3}"))
    await of_ada.count(20)
    await of_bob.count(20)
    assert sorted(ids(of_ada)) == sorted(mine)
    assert sorted(ids(of_bob)) == sorted(theirs)
    assert bob.tenant.encode() not in of_ada.raw
    # Also from an earlier place on.
    again = feeds.subscriber(ada, last=of_ada.blocks[0]["id"])
    await again.count(20)
    assert sorted(ids(again)) == sorted(mine)
    assert bob.tenant.encode() not in again.raw


async def test_nothing_is_sent_when_something_happens_to_others(feeds: Feed, new_caller: Any) -> None:
    ada, bob = await new_caller(), await new_caller()
    start = (await feeds.standing(ada)).last_id
    for number in range(900):
        await feeds.publish(bob, thread=f"thread_{number}")
    resumed = await feeds.standing(ada, last=start)
    before = resumed.raw
    for number in range(50):
        await feeds.publish(bob, thread=f"thread_{number}")
    mine = await feeds.publish(ada)
    await resumed.count(1)
    assert ids(resumed) == [mine]
    assert len(resumed.blocks) == 2
    assert resumed.raw.startswith(before)
    # What a place looks like says nothing either.
    assert {len(place) for place in [start, *resumed.ids]} == {len(start)}


async def test_events_that_are_not_public_are_never_told(feeds: Feed, caller: Any) -> None:
    subscriber = await feeds.standing(caller)
    for name in ("run.requested", "run.cancel-requested", "tool-call.completed", "tool-call.failed"):
        await feeds.publish(caller, name)
    await feeds.publish(caller, "message.created")
    await subscriber.count(1)
    assert [event["type"] for event in subscriber.events] == ["threadworks.message.created.v1"]


@pytest.mark.parametrize("through", ["header", "parameter"])
async def test_any_id_resumes_exactly_behind_its_event(feeds: Feed, caller: Any, through: str) -> None:
    first = await feeds.standing(caller)
    sent = [await feeds.publish(caller, thread=f"thread_{number % 5}", seq=number) for number in range(30)]
    await first.count(30)
    assert sorted(ids(first)) == sorted(sent)
    await first.leave()
    sent += [await feeds.publish(caller, thread=f"thread_{number % 5}", seq=number) for number in range(30, 40)]
    places = [first.blocks[0]["id"], *first.ids]
    for seen in (0, 1, 7, 29, 30):
        how: Any = {"last": places[seen]} if through == "header" else {"query": {"last_event_id": places[seen]}}
        again = feeds.subscriber(caller, **how)
        await again.count(40 - seen)
        assert sorted(ids(again)) == sorted(set(sent) - set(ids(first)[:seen]))


async def test_the_place_of_a_quiet_stream_resumes_it_too(feeds: Feed, caller: Any) -> None:
    quiet = await feeds.standing(caller)
    await quiet.leave()
    missed = [await feeds.publish(caller, thread=f"thread_{number}") for number in range(5)]
    again = feeds.subscriber(caller, last=quiet.last_id)
    await again.count(5)
    assert sorted(ids(again)) == sorted(missed)


async def test_who_resumes_while_much_happens_misses_and_repeats_nothing(feeds: Feed, caller: Any) -> None:
    first = await feeds.standing(caller)
    await first.leave()
    sent: list[str] = []
    done = asyncio.Event()

    async def publish() -> None:
        for number in range(1500):
            sent.append(await feeds.publish(caller, thread=f"thread_{number % 7}", seq=number))
            if number % 20 == 0:
                await asyncio.sleep(0)
        done.set()

    publishing = asyncio.create_task(publish())
    heard: list[str] = []
    place = first.last_id
    while not done.is_set() or len(heard) < len(sent):
        part = feeds.subscriber(caller, last=place)
        number = min(137, 1500 - len(heard))
        await part.count(number)
        await part.leave()
        heard += ids(part)
        place = part.last_id
    await publishing
    assert len(heard) == len(set(heard)) == 1500
    assert set(heard) == set(sent)


async def test_filters_by_type_and_thread(feeds: Feed, caller: Any) -> None:
    async def hears(*query: tuple[str, str]) -> FeedSubscriber:
        return await feeds.standing(caller, query=query)

    by_filter = {
        "all": await hears(),
        "exact": await hears(("type", "threadworks.run.completed.v1")),
        "name": await hears(("type", "run.completed")),
        "entity": await hears(("type", "run.*")),
        "several": await hears(("type", "run-step.*"), ("type", "message.created")),
        "thread": await hears(("thread_id", "thread_2")),
        "both": await hears(("type", "run.*"), ("thread_id", "thread_2")),
    }
    happened = [
        ("run.queued", "thread_1"),
        ("run.completed", "thread_1"),
        ("run-step.created", "thread_1"),
        ("message.created", "thread_2"),
        ("run.completed", "thread_2"),
    ]
    for name, thread in happened:
        await feeds.publish(caller, name, thread=thread)
    last = await feeds.publish(caller, "run.completed", thread="thread_2", seq=99)
    wanted = {
        "all": [0, 1, 2, 3, 4],
        "exact": [1, 4],
        "name": [1, 4],
        "entity": [0, 1, 4],
        "several": [2, 3],
        "thread": [3, 4],
        "both": [4],
    }
    for which, numbers in wanted.items():
        subscriber = by_filter[which]
        if which != "several":
            await subscriber.until(lambda subscriber=subscriber: last in ids(subscriber))  # type: ignore[misc]
        await subscriber.count(len(numbers))
        told = sorted(event["type"] for event in subscriber.events if event["id"] != last)
        assert told == sorted(f"threadworks.{happened[number][0]}.v1" for number in numbers), which


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"type": "run.imagined"}, "type"),
        ({"type": "run.requested"}, "type"),
        ({"type": "run"}, "type"),
        ({"type": "threadworks.run.completed.v2"}, "type"),
        ({"type": "*"}, "type"),
        ({"thread_id": "a b"}, "thread_id"),
        ({"thread_id": "x" * 65}, "thread_id"),
        ({"last_event_id": "run_1:3"}, "last_event_id"),
        ({"last_event_id": "A" * 300}, "last_event_id"),
        ({"last_event_id": "A" * 9000}, "last_event_id"),
        ({"last_event_id": "é"}, "last_event_id"),
    ],
)
async def test_bad_requests_are_refused_in_the_envelope(caller: Any, query: dict[str, str], param: str) -> None:
    error = await caller.refused("GET", "/events", params=query)
    assert (error["param"], error["code"], error["type"]) == (param, "invalid_value", "invalid_request_error")


async def test_ids_that_were_changed_or_are_anothers_are_refused(feeds: Feed, new_caller: Any) -> None:
    ada, bob = await new_caller(), await new_caller()
    place = (await feeds.standing(ada)).last_id
    flipped = [
        place[:at] + ("A" if place[at] != "A" else "B") + place[at + 1 :] for at in (0, 1, 12, 40, len(place) - 2)
    ]
    for bad in [*flipped, place[:-1], place + "A", place[: len(place) // 2], f" {place}x", "AQ", "AQ=="]:
        error = await ada.refused("GET", "/events", headers={"last-event-id": bad})
        assert error["param"] == "last_event_id", bad
    error = await bob.refused("GET", "/events", headers={"last-event-id": place})
    assert error["message"].startswith("Invalid 'last_event_id': expected the id of an event that you were sent")


async def test_keys_need_the_scope(app: ASGIApp, caller: Any, feeds: Feed) -> None:
    tenants = Tenants(caller.database)
    for scope in ("events", "api", "admin"):
        await tenants.add_key(f"key-{scope}-{caller.tenant}", caller.tenant, f"{caller.key}-{scope}", "k", [scope])
    follows = FeedSubscriber(app, f"{caller.key}-events")
    await follows.stands()
    await feeds.publish(caller)
    await follows.count(1)
    await follows.leave()
    for scope in ("api", "admin"):
        headers = {"authorization": f"Bearer {caller.key}-{scope}"}
        error = await caller.refused("GET", "/events", 401, headers=headers)
        assert error["message"] == "You have insufficient permissions for this operation. Missing scopes: events."
    headers = {"authorization": f"Bearer {caller.key}-events"}
    await caller.refused("GET", "/threads", 401, headers=headers)


async def test_head_tells_the_headers_and_holds_nothing(feeds: Feed, caller: Any, feed: EventFeed) -> None:
    before = feed.subscribers
    subscriber = feeds.subscriber(caller, method="HEAD")
    assert await subscriber.end() == b""
    assert (subscriber.status, feed.subscribers) == (200, before)


async def test_what_has_line_ends_of_its_own_is_one_line(feeds: Feed, caller: Any) -> None:
    subscriber = await feeds.standing(caller)
    data = orjson.loads(orjson.dumps(EXAMPLES["threadworks.run.queued.v1"]))
    data["run"]["metadata"] = {"note": "a\u2028b\u0085c\r\nd"}
    await feeds.publish(caller, data=data)
    (event,) = await subscriber.count(1)
    assert event["data"]["run"]["metadata"] == {"note": "a\u2028b\u0085c\r\nd"}
    assert len(subscriber.raw.decode().splitlines()) == subscriber.raw.count(b"\n")


async def test_a_record_that_nobody_can_read_is_passed_over(feeds: Feed, caller: Any, bus: InProcessBus) -> None:
    subscriber = await feeds.standing(caller)
    topic = "threadworks.run-events.v1"
    tenant = ("ce_tenant", caller.tenant.encode())
    strange: list[Callable[[], OutgoingRecord]] = [
        lambda: OutgoingRecord(topic=topic, key=None, value=b"", headers=()),
        lambda: OutgoingRecord(topic=topic, key=b"\xff", value=b"{", headers=(tenant, ("ce_type", b"\xff"))),
        lambda: OutgoingRecord(topic=topic, key=b"t", value=b"{}", headers=(tenant,)),
    ]
    assert await bus.publisher.publish([make() for make in strange]) == [None] * 3
    told = await feeds.publish(caller)
    await subscriber.count(1)
    assert ids(subscriber) == [told]
