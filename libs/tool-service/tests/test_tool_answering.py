"""Answering calls: outputs, failures, deadlines and repeats, with a scripted publisher and a clock in hand."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from event_bus import Outcome, OutgoingRecord, PublishError, Unavailable
from message_contracts import Message, codec
from observability import Meters
from prometheus_client import generate_latest
from tool_service import ToolContext, ToolError, ToolService
from tool_service.answering import Answering
from tool_service.metrics import TOOL_METRICS, ToolMeter
from tool_service.recent_answers import RecentAnswers

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class ScriptedPublisher:
    """Keeps what is published; answers with the scripted outcomes first, then acknowledges everything."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.records: list[OutgoingRecord] = []

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
        self.records.extend(records)
        return [self._outcomes.pop(0) if self._outcomes else None for _ in records]

    @property
    def messages(self) -> list[Message]:
        return [codec.decode(record.headers, record.value) for record in self.records]


class Desk:
    """A service whose functions are what the tests need, and what has become of them."""

    def __init__(self, *outcomes: Outcome, now: datetime = NOW) -> None:
        self.now = now
        self.executed: list[str] = []
        self.began, self.may_end = asyncio.Event(), asyncio.Event()
        self.cancelled = asyncio.Event()
        self.publisher = ScriptedPublisher(*outcomes)
        self.recent = RecentAnswers()
        service = ToolService(name="library")

        @service.function(timeout=20)
        async def find(title: str) -> str:
            """Finds a book."""
            self.executed.append(title)
            return f"found {title}"

        @service.function(timeout=20)
        async def wait(context: ToolContext) -> str:
            """Waits."""
            self.executed.append(context.call_id)
            self.began.set()
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
            return "waited"

        @service.function(timeout=0.05)
        async def hurry() -> str:
            """Takes longer than it may."""
            self.began.set()
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                await self.may_end.wait()  # does not let itself be cancelled
            return "too late"

        @service.function(timeout=20)
        async def fail(how: str) -> str:
            """Fails."""
            if how == "told":
                raise ToolError("not_found", "There is no such book.")
            if how == "nameless":
                raise ToolError("", "")
            raise RuntimeError("secret detail")

        @service.function(timeout=20)
        async def large(size: int, character: str = "x") -> str:
            """Returns much."""
            return character * size

        @service.function(timeout=20)
        async def odd() -> str:
            """Returns half a surrogate pair, as it may come out of another program's JSON."""
            return "a\ud800b"

        self.meters = Meters()
        self.answering = Answering(
            service.functions,
            self.publisher,
            clock=lambda: self.now,
            recent=self.recent,
            meter=ToolMeter(self.meters),
        )

    async def handle(self, message: Message) -> Message:
        await self.answering.handle(message)
        return self.publisher.messages[-1]


def call(name: str, arguments: str = "{}", *, call_id: str = "call_1", seconds: float = 30, **given: Any) -> Message:
    return Message(
        type="threadworks.tool-call.requested.v1",
        source="/threadworks/run-orchestrator",
        subject=call_id,
        tenant=given.get("tenant", "tenant_1"),
        data={
            "tool_call": {
                "id": call_id,
                "run_id": given.get("run_id", "run_1"),
                "step_id": "step_1",
                "thread_id": "thread_1",
                "service": "library",
                "name": name,
                "arguments": arguments,
                "created_at": "2026-11-21T10:29:59Z",
                "deadline": (NOW + timedelta(seconds=seconds)).isoformat(),
            }
        },
        id=given.get("event_id", "event_1"),
        time=NOW,
        traceparent=TRACE,
    )


def error(message: Message) -> tuple[str, str]:
    assert message.type == "threadworks.tool-call.failed.v1"
    return message.data["error"]["code"], message.data["error"]["message"]


async def test_an_answer_carries_what_the_orchestrator_needs() -> None:
    desk = Desk()
    answer = await desk.handle(call("find", '{"title": "Java"}'))
    (record,) = desk.publisher.records
    assert (record.topic, record.key) == ("threadworks.tool-results.v1", b"thread_1")
    assert answer.type == "threadworks.tool-call.completed.v1"
    assert answer.data == {
        "tool_call": {"id": "call_1", "run_id": "run_1", "thread_id": "thread_1", "service": "library"},
        "output": "found Java",
    }
    assert answer.source == "/threadworks/tool-services/library"
    assert (answer.subject, answer.tenant) == ("call_1", "tenant_1")
    assert (answer.correlation_id, answer.causation_id, answer.traceparent) == ("run_1", "event_1", TRACE)


@pytest.mark.parametrize(
    ("message", "code", "told"),
    [
        (call("fail", '{"how": "told"}'), "not_found", "There is no such book."),
        (call("fail", '{"how": "nameless"}'), "internal_error", "an error inside the tool service"),
        (call("fail", '{"how": "x"}'), "internal_error", "an error inside the tool service"),
        (call("burn"), "unknown_function", "no function called burn. It has: fail, find, hurry, large, odd, wait."),
        (call("find", "{}"), "invalid_arguments", "title: Field required"),
        (call("find", '{"title": "x"}', seconds=-1), "deadline_exceeded", "was not executed"),
        (call("find", '{"title": "x"}', seconds=0), "deadline_exceeded", "was not executed"),
        (call("large", '{"size": 524289}'), "output_too_large", "larger than 512 KiB"),
        (call("large", '{"size": 262145, "character": "ä"}'), "output_too_large", "larger than 512 KiB"),
        (call("large", '{"size": 524288, "character": "\\u0001"}'), "output_too_large", "larger than 512 KiB"),
    ],
)
async def test_what_is_no_output_becomes_a_failure_for_the_model(message: Message, code: str, told: str) -> None:
    desk = Desk()
    with structlog.testing.capture_logs():
        found, text = error(await desk.handle(message))
    assert found == code
    assert told in text
    assert "secret detail" not in text
    assert desk.executed == []


@pytest.mark.parametrize("arguments", ['{"size": 524288}', '{"size": 262144, "character": "ä"}'])
async def test_the_largest_output_fits(arguments: str) -> None:
    answer = await Desk().handle(call("large", arguments))
    assert len(answer.data["output"].encode()) == 512 * 1024


async def test_half_a_surrogate_pair_does_not_break_the_answer() -> None:
    assert (await Desk().handle(call("odd"))).data["output"] == "a?b"


async def test_an_error_of_a_function_is_logged_for_its_developer() -> None:
    with structlog.testing.capture_logs() as events:
        await Desk().handle(call("fail", '{"how": "x"}'))
    (event,) = [event for event in events if event["action"] == "tool_function_failed"]
    assert event["error_class"] == "RuntimeError"
    assert "in fail" in event["traceback"]
    assert "secret detail" not in str(events).replace('raise RuntimeError("secret detail")', "")
    assert event["tool_call_id"] == "call_1"


async def test_neither_arguments_nor_outputs_are_logged() -> None:
    with structlog.testing.capture_logs() as events:
        await Desk().handle(call("find", '{"title": "Kafka am Strande"}'))
        await Desk().handle(call("find", '{"name": "Kafka am Strande"}'))
    assert [event["action"] for event in events] == ["tool_call_completed", "tool_call_failed"]
    assert "Strande" not in str(events)


async def test_a_function_that_takes_too_long_is_cancelled_and_its_call_answered() -> None:
    desk = Desk()
    code, text = error(await asyncio.wait_for(desk.handle(call("hurry")), 10))
    assert (code, text) == ("deadline_exceeded", "hurry did not finish in time. It can be called again, perhaps later.")
    await asyncio.wait_for(desk.cancelled.wait(), 10)
    desk.may_end.set()
    await desk.answering.stop()


async def test_the_deadline_of_the_call_counts_even_if_the_function_had_more_time() -> None:
    desk = Desk()
    code, _ = error(await asyncio.wait_for(desk.handle(call("wait", seconds=0.05)), 10))
    assert code == "deadline_exceeded"
    assert desk.executed == ["call_1"]


async def test_a_function_knows_how_much_time_is_left() -> None:
    left: list[float] = []
    service = ToolService(name="library")

    @service.function(timeout=20)
    async def look(context: ToolContext) -> str:
        """Looks."""
        left.append(context.time_left())
        return ""

    answering = Answering(
        service.functions,
        ScriptedPublisher(),
        clock=lambda: NOW,
        recent=RecentAnswers(),
        meter=ToolMeter(Meters()),
    )
    await answering.handle(call("look", seconds=7))
    await answering.handle(call("look", seconds=70, call_id="call_2"))
    assert left == [7, 20]


async def test_a_repeated_call_gets_the_same_answer_and_is_not_executed_again() -> None:
    desk = Desk()
    await desk.handle(call("find", '{"title": "Java"}'))
    desk.now += timedelta(hours=1)
    await desk.handle(call("find", '{"title": "Java"}', event_id="event_9"))
    assert desk.executed == ["Java"]
    first, second = desk.publisher.records
    assert first == second


async def test_failures_are_remembered_too() -> None:
    desk = Desk()
    for _ in range(2):
        await desk.handle(call("fail", '{"how": "told"}'))
    first, second = desk.publisher.records
    assert first == second


@pytest.mark.parametrize("other", [{"tenant": "tenant_2"}, {"run_id": "run_2"}, {"call_id": "call_2"}])
async def test_calls_of_other_runs_and_tenants_are_other_calls(other: dict[str, str]) -> None:
    desk = Desk()
    first = await desk.handle(call("find", '{"title": "Java"}'))
    second = await desk.handle(call("find", '{"title": "Java"}', **other))  # type: ignore[arg-type]  # str for each
    assert desk.executed == ["Java", "Java"]
    assert first.id != second.id


async def test_the_id_of_an_answer_is_the_same_in_every_process() -> None:
    first = await Desk().handle(call("find", '{"title": "Java"}', event_id="event_1"))
    second = await Desk().handle(call("find", '{"title": "Rust"}', event_id="event_2"))
    assert first.id == second.id


async def test_a_repeat_during_the_execution_joins_it() -> None:
    desk = Desk()
    deliveries = [asyncio.create_task(desk.answering.handle(call("wait"))) for _ in range(3)]
    await desk.began.wait()
    desk.may_end.set()
    await asyncio.gather(*deliveries)
    assert desk.executed == ["call_1"]
    assert len(desk.publisher.records) == 1


async def test_a_delivery_that_is_given_up_does_not_end_the_execution() -> None:
    desk = Desk()
    given_up, joined = (asyncio.create_task(desk.answering.handle(call("wait"))) for _ in range(2))
    await desk.began.wait()
    given_up.cancel()
    await asyncio.wait({given_up})
    desk.may_end.set()
    await joined
    assert [message.data["output"] for message in desk.publisher.messages] == ["waited"]


async def test_an_answer_that_cannot_be_published_now_is_kept_for_the_next_delivery() -> None:
    away = PublishError(retryable=True, reason="the broker is away")
    desk = Desk(away, away)
    for _ in range(2):
        with pytest.raises(Unavailable, match="the broker is away"):
            await desk.answering.handle(call("find", '{"title": "Java"}'))
    await desk.answering.handle(call("find", '{"title": "Java"}'))
    assert desk.executed == ["Java"]
    assert len(set(desk.publisher.records)) == 1


async def test_an_answer_that_can_never_be_published_is_replaced_by_a_failure() -> None:
    desk = Desk(PublishError(retryable=False, reason="too large"))
    code, text = error(await desk.handle(call("find", '{"title": "Java"}')))
    assert code == "internal_error"
    assert "could not be delivered" in text


async def test_when_even_the_failure_cannot_be_published_the_call_is_left_to_its_deadline() -> None:
    never = PublishError(retryable=False, reason="no such topic")
    desk = Desk(never, never)
    with structlog.testing.capture_logs() as events:
        await desk.answering.handle(call("find", '{"title": "Java"}'))
    assert [e["retryable"] for e in events if e["action"] == "tool_answer_not_published"] == [False, False]


async def test_stop_cancels_what_is_running_without_an_answer() -> None:
    desk = Desk()
    delivery = asyncio.create_task(desk.answering.handle(call("wait")))
    await desk.began.wait()
    await desk.answering.stop()
    await asyncio.wait({delivery})
    assert desk.cancelled.is_set()
    assert desk.publisher.records == []


async def test_stop_does_not_wait_for_a_function_that_will_not_be_cancelled() -> None:
    desk = Desk()
    await asyncio.wait_for(desk.handle(call("hurry")), 10)
    await asyncio.wait_for(desk.answering.stop(), 10)
    desk.may_end.set()


def record(size: int) -> OutgoingRecord:
    return OutgoingRecord(topic="t", key=b"k", value=b"x" * size)


def test_old_answers_are_forgotten_by_number_and_by_size() -> None:
    recent = RecentAnswers(most=3, most_bytes=100)
    for number in range(4):
        recent.put(("t", "r", str(number)), record(10))
    assert recent.get(("t", "r", "0")) is None
    assert recent.get(("t", "r", "1")) is not None
    recent.put(("t", "r", "large"), record(85))
    assert recent.get(("t", "r", "2")) is None
    assert recent.get(("t", "r", "1")) is not None, "what was used last stays longest"


async def test_every_metric_of_the_list_counts_calls_by_service_function_and_outcome() -> None:
    desk = Desk()
    await desk.handle(call("find", '{"title": "x"}', call_id="call_1"))
    await desk.handle(call("fail", '{"how": "told"}', call_id="call_2"))
    await desk.handle(call("find", '{"title": "x"}', call_id="call_3", seconds=-1))
    await desk.handle(call("invented_by_a_model", call_id="call_4"))
    await desk.handle(call("find", '{"title": "x"}', call_id="call_1"))  # a repeat is not executed again
    lines = generate_latest(desk.meters.registry).decode().splitlines()
    (metric,) = TOOL_METRICS
    counts = {line.removeprefix(f"{metric.name}_count") for line in lines if line.startswith(f"{metric.name}_count")}
    assert counts == {
        '{function="find",outcome="completed",service="library"} 1.0',
        '{function="fail",outcome="failed",service="library"} 1.0',
        '{function="find",outcome="deadline_exceeded",service="library"} 1.0',
        '{function="unknown",outcome="failed",service="library"} 1.0',
    }
