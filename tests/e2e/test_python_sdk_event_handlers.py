"""The stream helpers of openai-python with event handlers: every hook is called, in its place and with its values."""

from itertools import takewhile
from typing import Any

import openai
import pytest
from either_client import EitherClient
from openai import AssistantEventHandler, AsyncAssistantEventHandler
from scripted_model import ScriptedModel
from threadworks import demo

LOOK_UP: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks up.",
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
    },
}
CALL = {"tool_call": {"name": "look_up", "arguments": {"what": "a long argument of many tokens"}}}
HOOKS = [
    "on_run_step_created",
    "on_run_step_delta",
    "on_run_step_done",
    "on_tool_call_created",
    "on_tool_call_delta",
    "on_tool_call_done",
    "on_message_created",
    "on_message_delta",
    "on_message_done",
    "on_text_created",
    "on_text_delta",
    "on_text_done",
    "on_exception",
    "on_timeout",
    "on_end",
]
WRITES = ["on_run_step_created", "on_message_created", "on_text_created", "on_text_delta", "on_message_delta"]
WROTE = ["on_text_done", "on_message_done", "on_run_step_done"]
CALLS = ["on_run_step_created", "on_tool_call_created", "on_run_step_delta", "on_tool_call_delta"]


class Notes:
    """Which hooks were called, with what, and what the handler said of itself at that moment."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.events: list[str] = []
        self.runs: list[str] = []
        self.steps: list[str | None] = []
        self.text = ""
        self.arguments = ""

    def note_event(self, handler: Any, event: Any) -> None:
        assert handler.current_event is event
        self.events.append(event.event)

    def note(self, name: str, handler: Any, values: tuple[Any, ...]) -> None:
        self.calls.append((name, values))
        if handler.current_run is not None:
            self.runs.append(handler.current_run.status)
        step = handler.current_run_step_snapshot
        self.steps.append(None if step is None else step.type)
        if name == "on_text_delta":
            delta, snapshot = values
            self.text += delta.value
            assert snapshot.value == self.text
            assert handler.current_message_snapshot.content[0].text is snapshot
        if name == "on_message_created":
            self.text = ""
        if name == "on_tool_call_created":
            self.arguments = values[0].function.arguments
        if name == "on_tool_call_delta":
            delta, snapshot = values
            self.arguments += delta.function.arguments
            assert snapshot.function.arguments == self.arguments

    @property
    def in_short(self) -> list[str]:
        """The names of the hooks; those of one delta that are called again and again stand there once."""
        short: list[str] = []
        for name, _ in self.calls:
            deltas = list(takewhile(lambda each: each.endswith("_delta"), reversed(short)))
            if name not in deltas:
                short.append(name)
        return short

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [values for each, values in self.calls if each == name]


class Hooked(AssistantEventHandler):
    """Notes every hook, for the synchronous client."""

    def __init__(self) -> None:
        super().__init__()
        self.notes = Notes()

    def on_event(self, event: Any) -> None:
        self.notes.note_event(self, event)


class AsyncHooked(AsyncAssistantEventHandler):
    """Notes every hook, for the asynchronous client."""

    def __init__(self) -> None:
        super().__init__()
        self.notes = Notes()

    async def on_event(self, event: Any) -> None:
        self.notes.note_event(self, event)


def _hook(name: str) -> Any:
    def blocking(self: Any, *values: Any) -> None:
        self.notes.note(name, self, values)

    async def asynchronous(self: Any, *values: Any) -> None:
        self.notes.note(name, self, values)

    return blocking, asynchronous


for _name in HOOKS:
    _blocking, _asynchronous = _hook(_name)
    setattr(Hooked, _name, _blocking)
    setattr(AsyncHooked, _name, _asynchronous)


def test_every_hook_of_the_sdk_is_noted() -> None:
    known = {name for name in dir(AssistantEventHandler) if name.startswith("on_")}
    # Nothing here makes images.
    assert known == {*HOOKS, "on_event", "on_image_file_done"}


async def test_a_plain_answer(sdk: EitherClient, model: ScriptedModel) -> None:
    gate = model.gate()
    question = model.say("Hello ", {"gate": gate}, "there.")
    thread = await sdk.now(sdk.beta.threads.create(messages=[{"role": "user", "content": question}]))
    handler = sdk.handler(AsyncHooked, Hooked)
    async with sdk.entered(
        sdk.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=demo.ASSISTANT, event_handler=handler, metadata={"a": "b"}
        )
    ) as stream:
        async for delta in sdk.each(stream.text_deltas):
            if delta == "Hello ":
                model.release(gate)
        await sdk.now(stream.until_done())
    notes = handler.notes
    assert notes.in_short == [*WRITES, *WROTE, "on_end"]
    assert [delta.value for delta, _ in notes.of("on_text_delta")] == ["Hello ", "there."]
    ((done,),) = notes.of("on_message_done")
    assert (done.content[0].text.value, done.status, done.role) == ("Hello there.", "completed", "assistant")
    assert notes.of("on_text_done") == [(done.content[0].text,)]
    assert [each.id for (each,) in notes.of("on_message_created")] == [done.id]
    ((begun,), (ended,)) = (*notes.of("on_run_step_created"), *notes.of("on_run_step_done"))
    assert begun.id == ended.id
    assert ended.step_details.message_creation.message_id == done.id
    assert set(notes.runs) == {"in_progress", "completed"}
    assert notes.steps == ["message_creation"] * (len(notes.steps) - 1) + [None]

    run = await sdk.now(stream.get_final_run())
    assert (run.status, run.metadata, run.id) == ("completed", {"a": "b"}, done.run_id)
    assert await sdk.now(stream.get_final_messages()) == [done]
    # What the SDK calls final are the steps as they began, with the deltas.
    assert [each.id for each in await sdk.now(stream.get_final_run_steps())] == [ended.id]
    assert (stream.current_event, stream.current_run.id) == (None, run.id)


async def test_a_call_and_its_outputs(sdk: EitherClient, model: ScriptedModel) -> None:
    question = model.will({"steps": [CALL], "tokens_per_second": 100}, {"steps": ["It ", "is."]})
    asking = sdk.handler(AsyncHooked, Hooked)
    async with sdk.entered(
        sdk.beta.threads.create_and_run_stream(
            assistant_id=demo.ASSISTANT,
            tools=[LOOK_UP],
            thread={"messages": [{"role": "user", "content": question}]},
            event_handler=asking,
        )
    ) as stream:
        await sdk.now(stream.until_done())
        run = await sdk.now(stream.get_final_run())
    notes = asking.notes
    assert notes.events[0] == "thread.created"
    assert notes.in_short == [*CALLS, "on_tool_call_done", "on_end"]
    assert (run.status, notes.runs[-1]) == ("requires_action", "requires_action")
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    ((called,),) = notes.of("on_tool_call_done")
    assert (called.id, called.function.name) == (call.id, "look_up")
    assert called.function.arguments == notes.arguments == call.function.arguments
    assert notes.arguments == '{"what":"a long argument of many tokens"}'
    ((created,),) = notes.of("on_tool_call_created")
    assert created.id == call.id

    answering = sdk.handler(AsyncHooked, Hooked)
    async with sdk.entered(
        sdk.beta.threads.runs.submit_tool_outputs_stream(
            run_id=run.id,
            thread_id=run.thread_id,
            tool_outputs=[{"tool_call_id": call.id, "output": "found"}],
            event_handler=answering,
        )
    ) as stream:
        assert "".join(await sdk.every(stream.text_deltas)) == "It is."
        done = await sdk.now(stream.get_final_run())
    notes = answering.notes
    assert notes.in_short == ["on_run_step_done", *WRITES, *WROTE, "on_end"]
    ((answered,), (wrote,)) = notes.of("on_run_step_done")
    assert [(each.id, each.function.output) for each in answered.step_details.tool_calls] == [(call.id, "found")]
    assert (done.id, done.status) == (run.id, "completed")
    assert [each.id for each in await sdk.now(stream.get_final_run_steps())] == [wrote.id]


async def test_several_calls_are_told_apart(sdk: EitherClient, model: ScriptedModel) -> None:
    calls = [{"tool_call": {"name": "look_up", "arguments": {"what": letter}}} for letter in "abc"]
    question = model.will({"steps": calls})
    handler = sdk.handler(AsyncHooked, Hooked)
    async with sdk.entered(
        sdk.beta.threads.create_and_run_stream(
            assistant_id=demo.ASSISTANT,
            tools=[LOOK_UP],
            thread={"messages": [{"role": "user", "content": question}]},
            event_handler=handler,
        )
    ) as stream:
        run = await sdk.now(stream.get_final_run())
    done = [call for (call,) in handler.notes.of("on_tool_call_done")]
    assert [each.function.arguments for each in done] == [f'{{"what":"{letter}"}}' for letter in "abc"]
    assert [each.id for each in done] == [each.id for each in run.required_action.submit_tool_outputs.tool_calls]
    assert len({each.id for each in done}) == 3
    await sdk.now(sdk.beta.threads.runs.cancel(run.id, thread_id=run.thread_id))


async def test_a_call_that_a_service_answers(sdk: EitherClient) -> None:
    handler = sdk.handler(AsyncHooked, Hooked)
    async with sdk.entered(
        sdk.beta.threads.create_and_run_stream(
            assistant_id=demo.ASSISTANT,
            thread={"messages": [{"role": "user", "content": "Wann sind die Termine im Kurs?"}]},
            event_handler=handler,
        )
    ) as stream:
        messages = await sdk.now(stream.get_final_messages())
        run = await sdk.now(stream.get_final_run())
        steps = await sdk.now(stream.get_final_run_steps())
    assert (run.status, set(handler.notes.runs)) == ("completed", {"in_progress", "completed"})
    assert [each.type for each in steps] == ["tool_calls", "message_creation"]
    (call,) = steps[0].step_details.tool_calls
    # The SDK never forgets the last call, and says again at later ends that it is done.
    assert {each.id for (each,) in handler.notes.of("on_tool_call_done")} == {call.id}
    ((answered,), _) = handler.notes.of("on_run_step_done")
    assert answered.step_details.tool_calls[0].id == call.id
    assert "25.10." in answered.step_details.tool_calls[0].function.output
    (answer,) = messages
    assert answer.content[0].text.value == handler.notes.text
    assert "25.10." in handler.notes.text


async def test_a_message_that_was_cut_off_is_followed_by_another(sdk: EitherClient, model: ScriptedModel) -> None:
    question = model.will({"steps": ["Never ", "sa", {"cut": True}]}, {"steps": ["Said."]})
    handler = sdk.handler(AsyncHooked, Hooked)
    async with sdk.entered(
        sdk.beta.threads.create_and_run_stream(
            assistant_id=demo.ASSISTANT,
            thread={"messages": [{"role": "user", "content": question}]},
            event_handler=handler,
        )
    ) as stream:
        messages = await sdk.now(stream.get_final_messages())
    assert handler.notes.in_short == [*WRITES, *WROTE, *WRITES, *WROTE, "on_end"]
    assert [(each.status, each.content[0].text.value) for each in messages] == [
        ("incomplete", "Never sa"),
        ("completed", "Said."),
    ]
    assert [each.status for (each,) in handler.notes.of("on_run_step_done")] == ["failed", "completed"]


async def test_a_run_that_fails(sdk: EitherClient, model: ScriptedModel) -> None:
    handler = sdk.handler(AsyncHooked, Hooked)
    async with sdk.entered(
        sdk.beta.threads.create_and_run_stream(
            assistant_id=demo.ASSISTANT,
            thread={"messages": [{"role": "user", "content": model.will({"status": 400})}]},
            event_handler=handler,
        )
    ) as stream:
        run = await sdk.now(stream.get_final_run())
    assert handler.notes.in_short == ["on_end"]
    assert (run.status, run.last_error.code) == ("failed", "invalid_prompt")
    with pytest.raises(RuntimeError, match="No messages found"):
        await sdk.now(stream.get_final_messages())


async def test_a_stream_that_is_refused(sdk: EitherClient) -> None:
    handler = sdk.handler(AsyncHooked, Hooked)
    with pytest.raises(openai.NotFoundError, match="No thread found with id 'thread_nobody'"):
        async with sdk.entered(
            sdk.beta.threads.runs.stream(thread_id="thread_nobody", assistant_id=demo.ASSISTANT, event_handler=handler)
        ):
            pass
    assert handler.notes.calls == []


async def test_the_polling_helpers(sdk: EitherClient, model: ScriptedModel) -> None:
    question = model.will({"steps": [CALL]}, {"steps": ["It is."]}, {"steps": ["Again."]})
    waiting = await sdk.now(
        sdk.beta.threads.create_and_run_poll(
            assistant_id=demo.ASSISTANT,
            tools=[LOOK_UP],
            thread={"messages": [{"role": "user", "content": question}]},
        )
    )
    assert waiting.status == "requires_action"
    (call,) = waiting.required_action.submit_tool_outputs.tool_calls
    done = await sdk.now(
        sdk.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=waiting.id,
            thread_id=waiting.thread_id,
            tool_outputs=[{"tool_call_id": call.id, "output": "found"}],
        )
    )
    assert (done.id, done.status) == (waiting.id, "completed")
    again = await sdk.now(sdk.beta.threads.runs.create_and_poll(thread_id=done.thread_id, assistant_id=demo.ASSISTANT))
    assert (again.status, again.id == done.id) == ("completed", False)
    listed = await sdk.every(sdk.beta.threads.messages.list(done.thread_id, order="asc"))
    assert [(each.run_id, each.content[0].text.value) for each in listed] == [
        (None, question),
        (done.id, "It is."),
        (again.id, "Again."),
    ]
