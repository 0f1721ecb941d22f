"""Threads whose clients wrote calls and outputs, as they reach a model; longer ones than one page of the store has."""

from typing import Any
from uuid import uuid4

from run_engine.domain import ids
from run_engine.domain.drafts import NewMessage, NewThread
from run_orchestrator.adapters.engine import PAGE


def said(role: Any, text: str, **fields: Any) -> NewMessage:
    content = [{"type": "text", "text": {"value": text, "annotations": []}}]
    return NewMessage(id=ids.render("message", uuid4()), role=role, content=content, **fields)


async def test_written_calls_and_outputs_reach_the_model(stage: Any) -> None:
    await stage.orchestrator()
    asked = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    messages = [
        said("user", "when?"),
        said("assistant", "", tool_calls=asked),
        said("tool", "on Monday", tool_call_id="call_1"),
        *(said("tool", f"note {place}") for place in range(2 * PAGE)),
        said("user", "and then?"),
    ]
    assistant_id = await stage.new_assistant()
    thread = NewThread(id=ids.render("thread", uuid4()), messages=messages)
    run = await stage.runs.start_on_new_thread("tenant", thread, stage.new_run(assistant_id))
    await stage.until_status(run, "completed")
    sent = (await stage.model.bodies())[0]["messages"][1:]
    assert sent[:3] == [
        {"role": "user", "content": "when?"},
        {"role": "assistant", "content": None, "tool_calls": asked},
        {"role": "tool", "tool_call_id": "call_1", "content": "on Monday"},
    ]
    assert [each["role"] for each in sent[3:]] == ["user"] * (2 * PAGE + 1)
    assert sent[-2]["content"].endswith(f"note {2 * PAGE - 1}")
