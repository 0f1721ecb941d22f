"""A tool service on the in-process bus: calls in, answers out, whatever else is running or breaking."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from event_bus import EventBus, Message, Outcome, OutgoingRecord, PublishError
from event_bus.in_process import InProcessBus
from message_contracts import catalogue, codec
from tool_service import ToolService, ToolServiceRunner

PATIENCE = 20.0


class Library:
    """A service whose function waits when it is asked to, and what was executed."""

    def __init__(self) -> None:
        self.executed: list[str] = []
        self.began, self.may_end = asyncio.Event(), asyncio.Event()
        self.service = ToolService(name="library")

        @self.service.function(timeout=20)
        async def find(title: str, slow: bool = False) -> str:
            """Finds a book."""
            self.executed.append(title)
            if slow:
                self.began.set()
                await self.may_end.wait()
            return f"found {title}"

    def runner(self, bus: EventBus) -> ToolServiceRunner:
        return ToolServiceRunner(self.service.name, self.service.functions, bus)


class Orchestrator:
    """The other side: publishes calls and collects answers and announcements."""

    def __init__(self, bus: InProcessBus) -> None:
        self._bus = bus
        self.answers: asyncio.Queue[Message] = asyncio.Queue()
        self.announcements: asyncio.Queue[Message] = asyncio.Queue()

    async def start(self) -> None:
        await self._bus.subscribe(
            group="run-orchestrator",
            topics=["threadworks.tool-results.v1"],
            handlers={
                "threadworks.tool-call.completed.v1": self.answers.put,
                "threadworks.tool-call.failed.v1": self.answers.put,
            },
            service="run-orchestrator",
        )
        await self._bus.follow(
            topic="threadworks.tool-services.v1",
            handlers={"threadworks.tool-service.announced.v1": self.announcements.put},
        )

    async def call(self, call_id: str, arguments: str, *, key: str = "same partition") -> None:
        now = datetime.now(UTC)
        message = Message(
            type="threadworks.tool-call.requested.v1",
            source="/threadworks/run-orchestrator",
            subject=call_id,
            tenant="tenant_1",
            data={
                "tool_call": {
                    "id": call_id,
                    "run_id": "run_1",
                    "step_id": "step_1",
                    "thread_id": "thread_1",
                    "service": "library",
                    "name": "find",
                    "arguments": arguments,
                    "created_at": now.isoformat(),
                    "deadline": (now + timedelta(seconds=20)).isoformat(),
                }
            },
            id=f"event of {call_id}",
            time=now,
        )
        encoded = codec.encode(message)
        topic = catalogue.topic_of(message.type, service="library")
        record = OutgoingRecord(topic=topic, key=key.encode(), value=encoded.value, headers=encoded.headers)
        assert await self._bus.publisher.publish([record]) == [None]

    async def answer(self) -> Message:
        return await asyncio.wait_for(self.answers.get(), PATIENCE)


@pytest.fixture
async def bus() -> AsyncIterator[InProcessBus]:
    bus = InProcessBus()
    await bus.start()
    yield bus
    await bus.stop()


@pytest.fixture
async def orchestrator(bus: InProcessBus) -> Orchestrator:
    orchestrator = Orchestrator(bus)
    await orchestrator.start()
    return orchestrator


async def test_calls_are_answered_and_the_functions_announced(bus: InProcessBus, orchestrator: Orchestrator) -> None:
    runner = Library().runner(bus)
    assert set(filter(None, (check() for check in runner.checks().values()))) == {
        "the functions of library are not announced yet",
        "library does not take calls yet",
    }
    await runner.start()
    announced = await asyncio.wait_for(orchestrator.announcements.get(), PATIENCE)
    assert [function["name"] for function in announced.data["service"]["functions"]] == ["find"]
    assert [check() for check in runner.checks().values()] == [None, None]
    await orchestrator.call("call_1", '{"title": "Java"}')
    answer = await orchestrator.answer()
    assert (answer.subject, answer.data["output"]) == ("call_1", "found Java")
    await runner.stop()
    await runner.stop()


async def test_a_slow_call_does_not_hold_up_others_of_its_partition(
    bus: InProcessBus, orchestrator: Orchestrator
) -> None:
    library = Library()
    runner = library.runner(bus)
    await runner.start()
    await orchestrator.call("call_slow", '{"title": "Slow", "slow": true}')
    await library.began.wait()
    for number in range(10):
        await orchestrator.call(f"call_{number}", '{"title": "Fast"}')
    fast = {(await orchestrator.answer()).subject for _ in range(10)}
    assert fast == {f"call_{number}" for number in range(10)}
    library.may_end.set()
    assert (await orchestrator.answer()).subject == "call_slow"
    await runner.stop()


async def test_a_call_that_was_interrupted_is_answered_once_after_a_restart(
    bus: InProcessBus, orchestrator: Orchestrator
) -> None:
    before, after = Library(), Library()
    runner = before.runner(bus)
    await runner.start()
    await orchestrator.call("call_1", '{"title": "Java", "slow": true}')
    await before.began.wait()
    # The process dies: what it was doing ends without an answer and without a commit.
    for task in asyncio.all_tasks():
        if task.get_name() == "tool-call:call_1":
            task.cancel()
    await runner.stop()
    assert orchestrator.answers.empty()
    after.may_end.set()
    restarted = after.runner(bus)
    await restarted.start()
    answer = await orchestrator.answer()
    assert (answer.subject, answer.data["output"]) == ("call_1", "found Java")
    await orchestrator.call("call_2", '{"title": "Rust"}')
    assert (await orchestrator.answer()).subject == "call_2", "call_1 was answered once"
    assert (before.executed, after.executed) == (["Java"], ["Java", "Rust"])
    await restarted.stop()


class InterruptedBus:
    """A bus that delivers, but on which nothing can be published until `back` is set."""

    def __init__(self, bus: InProcessBus) -> None:
        self._bus = bus
        self.start, self.stop = bus.start, bus.stop
        self.subscribe, self.follow, self.tail = bus.subscribe, bus.follow, bus.tail
        self.back = False
        self.refused = asyncio.Event()

    @property
    def publisher(self) -> "InterruptedBus":
        return self

    @property
    def stream_publisher(self) -> "InterruptedBus":
        return self

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
        if self.back:
            return await self._bus.publisher.publish(records)
        self.refused.set()
        return [PublishError(retryable=True, reason="the broker is away")] * len(records)


async def test_an_answer_waits_for_the_broker_and_is_executed_once(
    bus: InProcessBus, orchestrator: Orchestrator
) -> None:
    library = Library()
    interrupted = InterruptedBus(bus)
    runner = library.runner(interrupted)
    await runner.start()
    await orchestrator.call("call_1", '{"title": "Java"}')
    await interrupted.refused.wait()
    assert runner.checks()["announcement"]() is not None
    interrupted.back = True
    assert (await orchestrator.answer()).data["output"] == "found Java"
    assert library.executed == ["Java"]
    await runner.stop()


async def test_stop_lets_a_running_call_finish(bus: InProcessBus, orchestrator: Orchestrator) -> None:
    library = Library()
    runner = library.runner(bus)
    await runner.start()
    await orchestrator.call("call_1", '{"title": "Java", "slow": true}')
    await library.began.wait()
    stopping = asyncio.create_task(runner.stop())
    library.may_end.set()
    await stopping
    assert (await orchestrator.answer()).data["output"] == "found Java"


async def test_resources_live_as_long_as_the_calls(bus: InProcessBus) -> None:
    seen: list[str] = []

    class Connection:
        async def __aenter__(self) -> None:
            seen.append("opened")

        async def __aexit__(self, *_: object) -> None:
            seen.append("closed")

    runner = ToolServiceRunner("library", Library().service.functions, bus, lifespan=Connection())
    assert seen == []
    await runner.start()
    assert seen == ["opened"]
    await runner.stop()
    assert seen == ["opened", "closed"]


async def test_a_subscription_that_dies_is_reported(bus: InProcessBus, orchestrator: Orchestrator) -> None:
    runner = Library().runner(bus)
    await runner.start()
    topic = catalogue.topic_of("threadworks.tool-call.requested.v1", service="library")
    await bus.publisher.publish([OutgoingRecord(topic=topic, key=b"x", value=b"not an event")] * 30)
    cause = await asyncio.wait_for(asyncio.shield(runner.failed), PATIENCE)
    assert "could not be handled" in str(cause)
    assert runner.checks()["tool-calls"]() == "the subscription has failed"
    await runner.stop()
