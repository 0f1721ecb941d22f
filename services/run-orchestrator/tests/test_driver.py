"""One run from claim to ending, on a store and a model that do what the test says."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from run_engine.domain.objects import Json, Message, Run, RunStep, Usage
from run_engine.errors import DatabaseUnavailable, Fenced
from run_engine.store.driving import Said
from run_engine.store.streams import StoredEvent
from run_orchestrator.application.drive import Driver
from run_orchestrator.application.driven_runs import DrivenRun, DrivenRuns, Interruption
from run_orchestrator.application.ending import CutShort, Failed, Finished, Parked
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.fitting import Fitting
from run_orchestrator.application.model_facts import ModelTable
from run_orchestrator.application.prompt import Prompt
from run_orchestrator.application.reply import CallPiece, Piece
from run_orchestrator.application.retries import RetryPolicy
from run_orchestrator.application.tool_registry import ToolRegistry
from run_orchestrator.application.work import Bounds, Work

Event = tuple[str, Any]
NOW = datetime(2026, 11, 24, tzinfo=UTC)
FUNCTION = {"type": "function", "function": {"name": "f"}}


class FakeStore:
    """Notes every call; `fail` makes the next calls of a name raise."""

    def __init__(self) -> None:
        self.log: list[Event] = []
        self.failures: dict[str, list[Exception]] = {}

    def fail_next(self, name: str, *errors: Exception) -> None:
        self.failures.setdefault(name, []).extend(errors)

    def _note(self, name: str, what: Any = None) -> None:
        if self.failures.get(name):
            self.log.append((f"{name} failed", what))
            raise self.failures[name].pop(0)
        self.log.append((name, what))

    def names(self) -> list[str]:
        return [name for name, _ in self.log]

    async def claim(self, tenant_id: str, run_id: str) -> Run | None:
        raise NotImplementedError

    async def queued(self, limit: int) -> Sequence[tuple[str, str]]:
        raise NotImplementedError

    async def history(self, run: Run, *, messages: int, characters: int) -> Sequence[Message]:
        self._note("history", (messages, characters))
        return []

    async def steps(self, run: Run) -> Sequence[RunStep]:
        self._note("steps")
        return []

    async def allowed_services(self, tenant_id: str) -> frozenset[str]:
        self._note("allowed_services")
        return frozenset({"moodle"})

    async def finish(self, run: Run, ending: Finished) -> None:
        self._note("finish", ending)

    async def park(self, run: Run, ending: Parked) -> None:
        self._note("park", ending)

    async def fail(self, run: Run, ending: Failed, said: list[Json] | None) -> None:
        self._note("fail", ending)

    async def obey_cancel(self, run: Run, said: list[Json] | None, untold: Said | None) -> None:
        self._note("obey_cancel", untold)

    async def open_step(self, run: Run, step_id: str, message_id: str | None) -> StoredEvent | None:
        raise NotImplementedError

    async def say(self, run: Run, said: Said) -> None:
        raise NotImplementedError

    async def abandon_step(self, run: Run, reason: str) -> None:
        raise NotImplementedError

    async def cut_short(self, run: Run, ending: CutShort) -> None:
        self._note("cut_short", ending)

    async def hand_back(self, run: Run, said: list[Json] | None) -> None:
        self._note("hand_back")


class FakeModel:
    """Gives its replies one after the other: pieces, exceptions, or an event to wait for."""

    def __init__(self, *replies: list[Any]) -> None:
        self.replies = list(replies)
        self.asked: list[Prompt] = []
        self.closed = 0

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Sequence[Piece], None]:
        self.asked.append(prompt)
        try:
            for step in self.replies.pop(0):
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    yield [step]
        finally:
            self.closed += 1


ANSWER = [Piece(text="hel"), Piece(text="lo"), Piece(finish_reason="stop"), Piece(usage=Usage(prompt_tokens=3))]
DOWN = ModelFailure(FailureKind.UNAVAILABLE, "down")


class FourCharacters:
    def __init__(self, encoding: str) -> None:
        self.encoding = encoding

    def count(self, text: str) -> int:
        return -(-len(text) // 4)


class Scene:
    def __init__(self, a_run: Callable[..., Run], *replies: list[Any], **fields: Any) -> None:
        self.store, self.model = FakeStore(), FakeModel(*replies)
        self.registry = ToolRegistry({"moodle"})
        self.pauses: list[float] = []
        self.now = NOW.timestamp()
        self.run = a_run(**fields)
        self.driven = DrivenRun(self.run, lambda log: None)
        self.use(self.model)

    def use(self, model: FakeModel) -> None:
        """Puts the driver together, with this model."""
        self.model = model
        work = Work(
            self.store,
            model,
            self.registry,
            policy=RetryPolicy(tries=3),
            bounds=Bounds(messages=500, characters=1000),
            fitting=Fitting(ModelTable(windows={}, otherwise=10_000, aliases={}), FourCharacters, reserve=100),
            clock=lambda: self.now,
            pause=self._pause,
            jitter=lambda: 0.5,
            new_id=lambda kind: f"{kind}_new",
        )
        self.driver = Driver(self.store, work, pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def drive(self) -> list[str]:
        await asyncio.wait_for(self.driver.drive(self.driven), 10)
        return self.store.names()

    def started(self) -> DrivenRuns:
        runs = DrivenRuns(lambda log: None)
        runs.start(self.run, self.driver.drive, lambda: None)
        return runs

    def ending(self) -> Any:
        return self.store.log[-1][1]


@pytest.fixture
def scene(a_run: Callable[..., Run]) -> Callable[..., Scene]:
    return lambda *replies, **fields: Scene(a_run, *replies, **fields)


async def test_an_answer_is_committed_once(scene: Callable[..., Scene]) -> None:
    it = scene(ANSWER)
    assert await it.drive() == ["history", "finish"]
    assert it.ending() == Finished(
        step_id="step_new",
        message_id="message_new",
        content=[{"type": "text", "text": {"value": "hello", "annotations": []}}],
        usage=Usage(prompt_tokens=3),
    )
    assert it.model.closed == 1


async def test_steps_are_read_from_the_second_claim_on(scene: Callable[..., Scene]) -> None:
    assert await scene(ANSWER, attempt=2, seq=5).drive() == ["steps", "history", "finish"]


async def test_reading_waits_for_the_database(scene: Callable[..., Scene]) -> None:
    it = scene(ANSWER)
    it.store.fail_next("history", *[DatabaseUnavailable("away")] * 3)
    assert await it.drive() == ["history failed"] * 3 + ["history", "finish"]
    assert it.pauses == [0.2, 0.4, 0.8]


async def test_the_commit_is_repeated_with_the_same_ids(scene: Callable[..., Scene]) -> None:
    it = scene(ANSWER)
    it.store.fail_next("finish", *[DatabaseUnavailable("away")] * 2)
    assert await it.drive() == ["history", "finish failed", "finish failed", "finish"]
    endings = [what for name, what in it.store.log if name.startswith("finish")]
    assert endings[0] == endings[1] == endings[2]
    assert len(it.model.asked) == 1, "an answer is paid for once"


async def test_a_fenced_ending_is_let_go(scene: Callable[..., Scene]) -> None:
    it = scene(ANSWER)
    it.store.fail_next("finish", Fenced("run_1"))
    it.store.fail_next("obey_cancel", Fenced("run_1"))
    assert await it.drive() == ["history", "finish failed", "obey_cancel failed"]


async def test_a_run_that_is_to_be_cancelled_is_not_parked(scene: Callable[..., Scene]) -> None:
    it = scene([Piece(calls=(CallPiece(0, "a", "f", "{}"),))], tools=[FUNCTION])
    it.store.fail_next("park", Fenced("run_1"))
    assert await it.drive() == ["history", "allowed_services", "park failed", "obey_cancel"]


async def test_calls_are_parked_under_our_ids(scene: Callable[..., Scene]) -> None:
    it = scene([Piece(calls=(CallPiece(0, "theirs", "f", ""),)), Piece(finish_reason="stop")], tools=[FUNCTION])
    it.registry.announce("moodle", {"f": 12.5})
    assert await it.drive() == ["history", "allowed_services", "park"]
    (call,) = it.ending().calls
    assert (call.id, call.name, call.arguments, call.service, call.timeout) == (
        "tool_call_new",
        "f",
        "{}",
        "moodle",
        12.5,
    )


async def test_failures_are_retried_with_growing_pauses(scene: Callable[..., Scene]) -> None:
    it = scene([DOWN], [Piece(text="half"), DOWN], ANSWER)
    assert await it.drive() == ["history", "finish"]
    assert it.pauses == [0.5, 1.0]
    assert it.ending().content[0]["text"]["value"] == "hello", "nothing is left of the half"
    assert it.model.closed == 3


async def test_a_run_fails_when_the_tries_are_over(scene: Callable[..., Scene]) -> None:
    it = scene([DOWN], [DOWN], [DOWN])
    assert await it.drive() == ["history", "fail"]
    assert it.ending() == Failed("server_error", "down")


async def test_a_rate_limit_ends_with_the_life_of_the_run(scene: Callable[..., Scene]) -> None:
    limit = ModelFailure(FailureKind.RATE_LIMITED, "slow down", retry_after=40.0)
    it = scene(*[[limit]] * 20, expires_at=NOW + timedelta(seconds=100))
    assert await it.drive() == ["history", "fail"]
    assert it.pauses == [40.0, 40.0]
    assert it.ending() == Failed("rate_limit_exceeded", "slow down")


async def test_a_fault_of_ours_fails_the_run(scene: Callable[..., Scene]) -> None:
    it = scene([RuntimeError("a bug")])
    assert await it.drive() == ["history", "fail"]
    assert it.ending() == Failed("server_error", "Sorry, something went wrong.")


async def test_an_ending_that_cannot_be_written_fails_the_run(scene: Callable[..., Scene]) -> None:
    it = scene(ANSWER)
    it.store.fail_next("finish", ValueError("no such value"))
    assert await it.drive() == ["history", "finish failed", "fail"]


async def test_a_cancelled_run_closes_its_model_and_ends(scene: Callable[..., Scene]) -> None:
    forever = asyncio.Event()
    it = scene([Piece(text="half"), forever])
    runs = it.started()
    while not it.model.asked:
        await asyncio.sleep(0)
    runs.cancel("t", "run_1")
    # In a real store the second write finds the run ended.
    it.store.fail_next("hand_back", Fenced("run_1"))
    await runs.drain(10)
    assert it.store.names() == ["history", "obey_cancel", "hand_back failed"]
    assert it.model.closed == 1


@pytest.mark.parametrize(
    ("pieces", "kept"),
    [
        ([Piece(text="half "), Piece(text="an")], "half an"),
        ([Piece(text="\n"), Piece(text="half an"), Piece(calls=(CallPiece(name="f", arguments="{"),))], "\nhalf an"),
        ([Piece(text="\n")], None),
        ([Piece(calls=(CallPiece(name="f", arguments="{"),)), Piece(text="late")], None),
        ([], None),
    ],
)
async def test_what_a_cancelled_run_has_written_is_kept(
    scene: Callable[..., Scene], pieces: list[Piece], kept: str | None
) -> None:
    """Also where nobody streams: a message comes before the calls, or not at all, and has a word."""
    read = asyncio.Event()

    class Interrupted(FakeModel):
        async def stream(self, prompt: Prompt) -> AsyncGenerator[Sequence[Piece], None]:
            for piece in pieces:
                yield [piece]
            read.set()
            await asyncio.Event().wait()

    it = scene()
    it.use(Interrupted())
    runs = it.started()
    await read.wait()
    runs.cancel("t", "run_1")
    it.store.fail_next("hand_back", Fenced("run_1"))
    await runs.drain(10)
    untold = dict(it.store.log)["obey_cancel"]
    text = untold and untold.content[0]["text"]["value"]
    assert text == kept


async def test_a_reply_that_was_given_up_is_not_kept(scene: Callable[..., Scene]) -> None:
    it = scene()
    again = asyncio.Event()

    class Failing(FakeModel):
        async def stream(self, prompt: Prompt) -> AsyncGenerator[Sequence[Piece], None]:
            if self.asked:
                again.set()
                await asyncio.Event().wait()
            self.asked.append(prompt)
            yield [Piece(text="half")]
            raise DOWN

    it.use(Failing())
    runs = it.started()
    await again.wait()
    runs.cancel("t", "run_1")
    it.store.fail_next("hand_back", Fenced("run_1"))
    await runs.drain(10)
    assert dict(it.store.log)["obey_cancel"] is None


async def test_a_stream_that_fails_to_close_does_not_hide_the_cancellation(scene: Callable[..., Scene]) -> None:
    class Sticky(FakeModel):
        async def stream(self, prompt: Prompt) -> AsyncGenerator[Sequence[Piece], None]:
            self.asked.append(prompt)
            try:
                yield [Piece(text="half")]
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ModelFailure(FailureKind.UNAVAILABLE, "broken") from None

    it = scene()
    it.use(Sticky())
    runs = it.started()
    while not it.model.asked:
        await asyncio.sleep(0)
    runs.taken_away(("t", "run_1", 1))
    await runs.drain(10)
    assert it.store.names() == ["history"]
    assert len(it.model.asked) == 1


async def test_a_run_that_was_taken_away_writes_nothing(scene: Callable[..., Scene]) -> None:
    it = scene([asyncio.Event()])
    runs = it.started()
    while not it.model.asked:
        await asyncio.sleep(0)
    runs.taken_away(("t", "run_1", 1))
    await runs.drain(10)
    assert it.store.names() == ["history"]
    assert it.model.closed == 1


async def test_a_drained_run_is_handed_back(scene: Callable[..., Scene]) -> None:
    it = scene([asyncio.Event()])
    runs = it.started()
    while not it.model.asked:
        await asyncio.sleep(0)
    await runs.drain(0)
    assert it.store.names() == ["history", "hand_back"]


@pytest.mark.parametrize("interruption", [Interruption.TAKEN_AWAY, Interruption.HANDED_BACK])
async def test_waiting_for_a_commit_ends_when_the_run_is_not_ours(
    scene: Callable[..., Scene], interruption: Interruption
) -> None:
    it = scene(ANSWER)
    it.store.fail_next("finish", *[DatabaseUnavailable("away")] * 100)
    task = asyncio.create_task(it.driver.drive(it.driven))
    while len(it.pauses) < 3:
        await asyncio.sleep(0)
    it.driven.interrupt(interruption)
    await asyncio.wait_for(task, 10)
    assert "finish" not in it.store.names()


async def test_a_cancellation_does_not_give_up_an_answer(scene: Callable[..., Scene]) -> None:
    it = scene(ANSWER)
    it.store.fail_next("finish", *[DatabaseUnavailable("away")] * 10)
    task = asyncio.create_task(it.driver.drive(it.driven))
    while len(it.pauses) < 3:
        await asyncio.sleep(0)
    it.driven.interrupt(Interruption.CANCELLED)
    await asyncio.wait_for(task, 10)
    assert it.store.names()[-1] == "finish"


async def test_an_overdue_run_stops_its_model_and_waits_for_the_sweeper(scene: Callable[..., Scene]) -> None:
    it = scene([asyncio.Event()], expires_at=NOW - timedelta(seconds=4.99))
    runs = it.started()
    while not it.model.closed:
        await asyncio.sleep(0.001)
    assert runs.claims() == {("t", "run_1", 1)}, "it is driven until the lease says that it is over"
    runs.taken_away(("t", "run_1", 1))
    await runs.drain(10)
    assert it.store.names() == ["history"]


async def test_a_time_out_of_something_else_is_no_expiry(scene: Callable[..., Scene]) -> None:
    it = scene([TimeoutError("of somebody else")], expires_at=NOW + timedelta(seconds=100))
    assert await it.drive() == ["history", "fail"]


async def test_an_overflowing_prompt_is_shortened_once(
    scene: Callable[..., Scene], a_message: Callable[..., Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    overflow = ModelFailure(FailureKind.CONTEXT_OVERFLOW, "too long")
    it = scene([overflow], [overflow])

    async def history(run: Run, **_bounds: int) -> list[Message]:
        return [replace(a_message(), id=f"msg_{number}") for number in range(4)]

    monkeypatch.setattr(it.store, "history", history)
    assert await it.drive() == ["fail"]
    assert [len(prompt.messages) for prompt in it.model.asked] == [4, 2]
    assert it.ending() == Failed("invalid_prompt", "too long")
    assert it.pauses == [], "another prompt is no repetition"
