"""What a slot is told of a streamed run, by an orchestrator on a real database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from event_bus import Message
from run_engine.domain import ids
from run_engine.domain.drafts import NewMessage, NewThread, PageRequest
from run_engine.domain.objects import Run
from run_engine.domain.status import MessageStatus
from run_engine.domain.stream_slots import for_news
from run_engine.store.streams import Streams

TENANT = "tenant"
SLOT, OTHER_SLOT = 5, 6


class Listener:
    """A gateway's slot: notes the pieces of every run."""

    def __init__(self) -> None:
        self.pieces: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()

    async def hear(self, message: Message) -> None:
        async with self._changed:
            self.pieces += message.data["pieces"]
            self._changed.notify_all()

    def text(self, part: str | int = "text", step: str | None = None) -> str:
        """What was told of a part; pieces must fit together."""
        told = ""
        for piece in self.pieces:
            if piece.get("part") == part and (step is None or piece["step_id"] == step):
                assert piece["offset"] == len(told)
                told += piece["text"]
        return told

    def steps(self) -> list[str]:
        return list(dict.fromkeys(piece["step_id"] for piece in self.pieces if "step_id" in piece))

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(holds)


@pytest_asyncio.fixture
async def listener(stage: Any) -> AsyncIterator[Listener]:
    heard = Listener()
    tail = await stage.bus.tail(
        topic="threadworks.run-deltas.v1",
        partition=SLOT,
        handlers={"threadworks.run-delta.produced.v1": heard.hear},
    )
    await tail.ready()
    yield heard
    await tail.stop()


async def start(stage: Any, question: str, *functions: str, slot: int | None = SLOT) -> Run:
    assistant_id = await stage.new_assistant(functions=functions)
    content = [{"type": "text", "text": {"value": question, "annotations": []}}]
    message = NewMessage(id=ids.render("message", uuid4()), role="user", content=content)
    thread = NewThread(id=ids.render("thread", uuid4()), messages=(message,))
    return await stage.runs.start_on_new_thread(TENANT, thread, stage.new_run(assistant_id), stream_slot=slot)


async def kinds(stage: Any, run: Run) -> list[str]:
    events = await Streams(stage.database).events(TENANT, run.id)
    return [event.type.removeprefix("threadworks.").removesuffix(".v1") for event in events]


async def test_a_reply_is_told_while_it_is_written(stage: Any, listener: Listener) -> None:
    await stage.model.script({"steps": ["Java ist", {"gate": "middle"}, " eine Sprache 👋."]})
    await stage.orchestrator()
    run = await start(stage, "was ist java")
    await listener.until(lambda: listener.text() == "Java ist")
    (message,) = [one for one in await _messages(stage, run) if one.role == "assistant"]
    assert (message.status, message.content) == (MessageStatus.IN_PROGRESS, [])
    await stage.model.release("middle")
    ended = await stage.until_status(run, "completed")
    await listener.until(lambda: listener.pieces[-1].get("seq", 0) > 3)
    assert listener.text() == "Java ist eine Sprache 👋."
    assert await stage.texts(run) == ["Java ist eine Sprache 👋."]
    (step_id,) = listener.steps()
    stored = await Streams(stage.database).events(TENANT, run.id)
    copies = [piece["event"] for piece in listener.pieces if "event" in piece]
    assert [copy["seq"] for copy in copies] == [2, 3]
    assert copies[1]["subject"] == step_id
    for copy, event in zip(copies, stored[1:3], strict=True):
        assert (copy["type"], copy["subject"], copy["data"]) == (event.type, event.subject, event.data)
        assert datetime.fromisoformat(copy["created_at"]) == event.created_at
    assert ended.usage is not None
    assert await kinds(stage, run) == [
        "run.queued",
        "run.in_progress",
        "run-step.created",
        "message.completed",
        "run-step.completed",
        "run.completed",
    ]


async def test_a_run_that_nobody_streams_is_told_to_nobody(stage: Any, listener: Listener) -> None:
    await stage.orchestrator()
    await stage.until_status(await start(stage, "hallo", slot=None), "completed")
    await stage.until_status(await start(stage, "hallo", slot=OTHER_SLOT), "completed")
    streamed = await start(stage, "hallo")
    await stage.until_status(streamed, "completed")
    assert {piece["run_id"] for piece in listener.pieces} == {streamed.id}


async def test_who_waits_is_told_of_the_end_alone_and_costs_no_commit(stage: Any, listener: Listener) -> None:
    await stage.orchestrator()
    waited_for = await start(stage, "hallo", slot=for_news(SLOT))
    await stage.until_status(waited_for, "completed")
    await listener.until(lambda: len(listener.pieces) >= 2)
    claim, end = listener.pieces
    assert claim["event"]["type"] == "threadworks.run.in_progress.v1"
    assert end == {"tenant_id": TENANT, "run_id": waited_for.id, "seq": 3}, "no step was begun, and no text was sent"


async def test_arguments_of_calls_are_told_too(stage: Any, listener: Listener) -> None:
    calls = [{"tool_call": {"name": "f", "arguments": {"n": number}, "id": "the model's own id"}} for number in (1, 2)]
    await stage.model.script({"steps": ["Moment.", *calls]})
    await stage.orchestrator()
    run = await stage.until_status(await start(stage, "rechne", "f"), "requires_action")
    read = await stage.read(run)
    begun = [piece["call"] for piece in listener.pieces if "call" in piece]
    assert begun == [{"id": call.id, "name": "f"} for call in read.required_calls]
    assert [listener.text(0), listener.text(1)] == [call.arguments for call in read.required_calls]
    assert (listener.text(), await stage.texts(run)) == ("Moment.", ["Moment."])
    assert await kinds(stage, run) == [
        "run.queued",
        "run.in_progress",
        "run-step.created",
        "message.completed",
        "run-step.completed",
        "run-step.created",
        "run-step.in_progress",
        "run.requires_action",
    ]
    outputs = [(call.id, "3") for call in read.required_calls]
    await stage.runs.submit_outputs(TENANT, run.thread_id, run.id, outputs, stream_slot=SLOT)
    ended = await stage.until_status(run, "completed")
    assert len(listener.steps()) == 3
    assert len(await stage.texts(ended)) == 2


async def test_a_reply_that_breaks_off_is_begun_anew(stage: Any, listener: Listener) -> None:
    await stage.model.script({"steps": ["Half a", {"cut": True}]}, {"steps": ["A whole answer."]})
    await stage.orchestrator()
    run = await stage.until_status(await start(stage, "hallo"), "completed")
    assert await stage.texts(run) == ["A whole answer."]
    first, second = listener.steps()
    assert (listener.text(step=first), listener.text(step=second)) == ("Half a", "A whole answer.")
    assert (await kinds(stage, run))[2:5] == ["run-step.created", "run-step.failed", "run-step.created"]


async def test_calls_of_a_reply_that_was_cut_short_are_taken_back(stage: Any, listener: Listener) -> None:
    call = {"tool_call": {"name": "f", "arguments": {}, "id": "x"}}
    await stage.model.script({"steps": ["So far.", call], "finish_reason": "length"})
    await stage.orchestrator()
    run = await stage.until_status(await start(stage, "rechne", "f"), "incomplete")
    assert await stage.texts(run) == ["So far."]
    assert (await kinds(stage, run))[-3:] == ["run-step.created", "run-step.failed", "run.incomplete"]
    assert run.usage is not None
    assert run.usage.total_tokens > 0, "the reply is paid for"


@pytest.mark.parametrize("slot", [SLOT, None])
async def test_line_breaks_before_calls_are_no_message(stage: Any, listener: Listener, slot: int | None) -> None:
    await stage.model.script({"steps": ["\n", "\n", {"tool_call": {"name": "f", "arguments": {}}}]})
    await stage.orchestrator()
    run = await stage.until_status(await start(stage, "rechne", "f", slot=slot), "requires_action")
    assert await stage.texts(run) == []
    assert (await kinds(stage, run)).count("run-step.created") == 1


async def test_line_breaks_before_words_are_told_with_them(stage: Any, listener: Listener) -> None:
    await stage.model.script({"steps": ["\n", "\n", "Java"]})
    await stage.orchestrator()
    run = await stage.until_status(await start(stage, "hallo"), "completed")
    await listener.until(lambda: listener.text() == "\n\nJava")
    assert await stage.texts(run) == ["\n\nJava"]


async def test_what_a_model_says_after_calls_that_were_told_is_left_out(stage: Any, listener: Listener) -> None:
    await stage.model.script({"steps": [{"tool_call": {"name": "f", "arguments": {}}}, "Too late."]})
    await stage.orchestrator()
    run = await stage.until_status(await start(stage, "rechne", "f"), "requires_action")
    assert await stage.texts(run) == []
    assert (await kinds(stage, run))[2:] == ["run-step.created", "run-step.in_progress", "run.requires_action"]


async def test_whoever_joins_in_the_middle_is_told_all_of_it(stage: Any, listener: Listener) -> None:
    await stage.model.script({"steps": ["From the", {"gate": "middle"}, " beginning."]})
    await stage.orchestrator()
    run = await start(stage, "hallo", slot=None)
    await stage.model.wait(gate="middle")
    await Streams(stage.database).add_slot(TENANT, run.id, SLOT)
    await stage.model.release("middle")
    await stage.until_status(run, "completed")

    await stage.model.script({"steps": ["And", {"gate": "again"}, " again."]})
    run = await start(stage, "hallo", slot=OTHER_SLOT)
    await stage.model.wait(gate="again")
    await Streams(stage.database).add_slot(TENANT, run.id, SLOT)
    await listener.until(lambda: listener.text(step=listener.steps()[-1]) == "And" if listener.steps() else False)
    await stage.model.release("again")
    await stage.until_status(run, "completed")
    await listener.until(lambda: listener.text(step=listener.steps()[-1]) == "And again.")


@pytest.mark.parametrize("how", ["cancel", "fail"])
async def test_what_was_told_of_a_run_that_ends_early_is_kept(stage: Any, listener: Listener, how: str) -> None:
    if how == "cancel":
        await stage.model.script({"steps": ["Half a", {"gate": "never"}]})
    else:
        await stage.model.script({"steps": ["Half a", {"cut": True}]})
    await stage.orchestrator(model_tries=1)
    run = await start(stage, "hallo")
    if how == "cancel":
        await listener.until(lambda: listener.text() == "Half a")
        await stage.runs.cancel(TENANT, run.thread_id, run.id)
    await stage.until_status(run, "cancelled", "failed")
    (message,) = [one for one in await _messages(stage, run) if one.role == "assistant"]
    assert message.status is MessageStatus.INCOMPLETE
    assert message.incomplete_details == {"reason": "run_cancelled" if how == "cancel" else "run_failed"}
    assert await stage.texts(run) == ["Half a"]


async def test_a_run_that_is_handed_back_is_told_anew(stage: Any, listener: Listener) -> None:
    await stage.model.script({"steps": ["Half a", {"gate": "never"}]}, {"steps": ["A whole answer."]})
    first = await stage.orchestrator(drain_seconds=0)
    run = await start(stage, "hallo")
    await listener.until(lambda: listener.text() == "Half a")
    await first.stop()
    await stage.orchestrator()
    await stage.until_status(run, "completed")
    assert await stage.texts(run) == ["A whole answer."]
    assert (await kinds(stage, run))[2:6] == ["run-step.created", "run-step.failed", "run.queued", "run.in_progress"]


async def _messages(stage: Any, run: Run) -> list[Any]:
    return list((await stage.messages.list(TENANT, run.thread_id, PageRequest(limit=100))).items)
