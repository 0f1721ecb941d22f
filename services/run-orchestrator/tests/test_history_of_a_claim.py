"""The messages that a run has come with are the first page of its history, until one is written."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

from observability import Meters
from run_engine.domain import ids
from run_engine.domain.drafts import NewMessage, NewThread
from run_engine.domain.objects import Message, Run
from run_engine.store.driving import Driving
from run_engine.store.messages import Messages
from run_engine.store.tenants import Tenants
from run_orchestrator.adapters.engine import PAGE, EngineRunStore
from run_orchestrator.adapters.metrics import OrchestratorMeter


class Thread:
    """Notes which pages are read."""

    def __init__(self, *messages: Message) -> None:
        self.messages = messages
        self.pages: list[tuple[str | None, int]] = []

    async def latest(
        self, _tenant_id: str, _thread_id: str, limit: int, *, before: str | None = None
    ) -> Sequence[Message]:
        self.pages.append((before, limit))
        first = next((place + 1 for place, each in enumerate(self.messages) if each.id == before), 0)
        return self.messages[first : first + limit]


def _asked(question: str) -> NewMessage:
    content = [{"type": "text", "text": {"value": question, "annotations": []}}]
    return NewMessage(id=ids.render("message", uuid4()), role="user", content=content)


async def _history(run: Run, thread: Thread, *, messages: int) -> list[str]:
    store = EngineRunStore(
        cast(Driving, None), cast(Messages, thread), cast(Tenants, None), OrchestratorMeter(Meters())
    )
    return [message.id for message in await store.history(run, messages=messages, characters=1_000_000)]


async def test_what_has_come_along_is_not_read_again(
    a_run: Callable[..., Run], a_message: Callable[..., Message]
) -> None:
    newest = tuple(replace(a_message("hallo"), id=f"message_{number}") for number in range(3))
    thread = Thread(*newest)
    run = replace(a_run(), newest_messages=newest)
    assert await _history(run, thread, messages=100) == ["message_0", "message_1", "message_2"]
    assert await _history(run, thread, messages=2) == ["message_0", "message_1"]
    assert thread.pages == []
    assert await _history(a_run(), thread, messages=2) == ["message_0", "message_1"]
    assert thread.pages == [(None, 2)]


async def test_older_messages_than_those_are_read(a_run: Callable[..., Run], a_message: Callable[..., Message]) -> None:
    every = tuple(replace(a_message("hallo"), id=f"message_{number}") for number in range(PAGE + 2))
    thread = Thread(*every)
    run = replace(a_run(), newest_messages=every[:PAGE])
    assert len(await _history(run, thread, messages=1_000)) == PAGE + 2
    assert thread.pages == [(f"message_{PAGE - 1}", PAGE)]


async def test_a_message_that_was_written_since_the_claim_is_read(stage: Any) -> None:
    call = {"tool_call": {"name": "f", "arguments": {}}}
    await stage.model.script({"steps": ["Moment.", call, {"cut": True}]}, {"steps": ["Done."]})
    await stage.orchestrator()
    assistant_id = await stage.new_assistant(functions=["f"])
    thread = NewThread(id=ids.render("thread", uuid4()), messages=(_asked("rechne"),))
    run = await stage.runs.start_on_new_thread("tenant", thread, stage.new_run(assistant_id), stream_slot=5)
    await stage.until_status(run, "completed")
    first, second = await stage.model.bodies()
    assert "Moment." not in str(first["messages"])
    assert "Moment." in str(second["messages"])
