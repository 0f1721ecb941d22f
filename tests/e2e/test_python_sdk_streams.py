"""Streams with openai-python, read event by event: which events come, in which order, and what they add up to."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import openai
import pytest
from either_client import EitherClient
from recording_proxy import RecordingProxy
from scripted_model import ScriptedModel
from threadworks import demo

BEGUN = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP = ["thread.run.step.created", "thread.run.step.in_progress"]
WRITING = [*STEP, "thread.message.created", "thread.message.in_progress", "thread.message.delta"]
WRITTEN = [*WRITING, "thread.message.completed", "thread.run.step.completed"]
CALLING = [*STEP, "thread.run.step.delta"]
GOES_ON = ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"]


def function(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"what": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "description": "Looks up.", "parameters": parameters}}


def call(name: str, what: str) -> dict[str, Any]:
    return {"tool_call": {"name": name, "arguments": {"what": what}}}


def user(question: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}]}


def in_short(names: Sequence[str]) -> list[str]:
    """The names with deltas that follow each other as one: how many there are depends on how fast they are taken."""
    return [name for before, name in pairwise(["", *names]) if name != before or not name.endswith(".delta")]


class Told:
    """What a stream told: the events as the SDK gave them, as the wire had them, and what the deltas add up to."""

    def __init__(self, events: list[Any], proxy: RecordingProxy) -> None:
        self.names = in_short([each.event for each in events])
        self.last = events[-1].data
        self.run_id = self.last.id
        self._events = events
        # The SDK keeps the last event, [DONE], to itself.
        assert proxy.streams[-1].names == [*(each.event for each in events), "done"]

    def of(self, name: str) -> Any:
        """The payload of the only event of that name."""
        (found,) = (each.data for each in self._events if each.event == name)
        return found

    def all_of(self, name: str) -> list[Any]:
        """The payloads of all events of that name."""
        return [each.data for each in self._events if each.event == name]

    @property
    def text(self) -> str:
        return "".join(part.text.value for each in self.all_of("thread.message.delta") for part in each.delta.content)

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        """Id, name and arguments of the calls, from the deltas alone."""
        calls: dict[int, list[str]] = {}
        for delta in self.all_of("thread.run.step.delta"):
            for each in delta.delta.step_details.tool_calls:
                begun = calls.setdefault(each.index, [each.id, each.function.name, ""])
                begun[2] += each.function.arguments
        return [(id_, name, arguments) for id_, name, arguments in (calls[index] for index in sorted(calls))]


async def test_a_plain_answer(sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel) -> None:
    thread = await sdk.now(sdk.beta.threads.create(**user(model.say("Grüß ", "Gott, ", "👋 Welt."))))
    stream = sdk.beta.threads.runs.create(thread.id, assistant_id=demo.ASSISTANT, stream=True)
    told = Told(await sdk.every(await sdk.now(stream)), proxy)
    assert told.names == [*BEGUN, *WRITTEN, "thread.run.completed"]
    assert told.text == "Grüß Gott, 👋 Welt."

    created, step, message = (
        told.of(name) for name in ("thread.run.created", "thread.run.step.completed", "thread.message.completed")
    )
    assert (created.status, created.thread_id, created.assistant_id) == ("queued", thread.id, demo.ASSISTANT)
    assert (step.type, step.step_details.message_creation.message_id) == ("message_creation", message.id)
    assert [part.text.value for part in message.content] == [told.text]
    assert {each.id for each in told.all_of("thread.message.delta")} == {message.id}
    assert (told.last.status, told.last.expires_at) == ("completed", None)
    assert told.last.usage.to_dict() == step.usage.to_dict()
    assert told.last == await sdk.now(sdk.beta.threads.runs.retrieve(created.id, thread_id=thread.id))
    assert await sdk.every(sdk.beta.threads.runs.steps.list(created.id, thread_id=thread.id)) == [step]
    assert (await sdk.now(sdk.beta.threads.messages.list(thread.id))).data[0] == message


async def test_deltas_come_while_the_model_writes(
    sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel
) -> None:
    more, most = model.gate(), model.gate()
    question = model.say("first ", {"gate": more}, "second ", {"gate": most}, "third")
    seen, events = "", []
    create = sdk.beta.threads.create_and_run(assistant_id=demo.ASSISTANT, thread=user(question), stream=True)
    async for event in sdk.each(await sdk.now(create)):
        events.append(event)
        if event.event == "thread.message.delta":
            seen += "".join(part.text.value for part in event.data.delta.content)
            for text, gate in (("first ", more), ("first second ", most)):
                if seen == text:
                    model.release(gate)
    told = Told(events, proxy)
    assert told.names == ["thread.created", *BEGUN, *WRITTEN, "thread.run.completed"]
    assert told.of("thread.created").id == told.last.thread_id
    assert seen == told.text == "first second third"
    assert len(told.all_of("thread.message.delta")) == 3


async def test_the_clients_call_and_its_outputs(sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel) -> None:
    question = model.will({"steps": [call("look_up", "a long argument of many tokens")]}, {"steps": ["It ", "is."]})
    create = sdk.beta.threads.create_and_run(
        assistant_id=demo.ASSISTANT, tools=[function("look_up")], thread=user(question), stream=True
    )
    asked = Told(await sdk.every(await sdk.now(create)), proxy)
    assert asked.names == ["thread.created", *BEGUN, *CALLING, "thread.run.requires_action"]
    ((call_id, name, arguments),) = asked.calls
    assert (name, arguments) == ("look_up", '{"what":"a long argument of many tokens"}')
    (required,) = asked.last.required_action.submit_tool_outputs.tool_calls
    assert (required.id, required.function.name, required.function.arguments) == (call_id, name, arguments)
    first = asked.all_of("thread.run.step.delta")[0].delta.step_details.tool_calls[0]
    assert (first.index, first.type, first.function.arguments, first.function.output) == (0, "function", "", None)

    submit = sdk.beta.threads.runs.submit_tool_outputs(
        asked.last.id,
        thread_id=asked.last.thread_id,
        tool_outputs=[{"tool_call_id": call_id, "output": "found"}],
        stream=True,
    )
    told = Told(await sdk.every(await sdk.now(submit)), proxy)
    assert told.names == [*GOES_ON, *WRITTEN, "thread.run.completed"]
    assert (told.text, told.run_id) == ("It is.", asked.run_id)
    answered, wrote = told.all_of("thread.run.step.completed")
    assert answered.id == asked.of("thread.run.step.created").id
    assert [(each.id, each.function.output) for each in answered.step_details.tool_calls] == [(call_id, "found")]
    assert answered.usage.total_tokens + wrote.usage.total_tokens == told.last.usage.total_tokens


async def test_several_calls_at_once(sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel) -> None:
    wanted = [(f"look_up_{letter}", letter) for letter in "abc"]
    question = model.will({"steps": [call(*each) for each in wanted]}, {"steps": ["All three."]})
    create = sdk.beta.threads.create_and_run(
        assistant_id=demo.ASSISTANT, tools=[function(name) for name, _ in wanted], thread=user(question), stream=True
    )
    asked = Told(await sdk.every(await sdk.now(create)), proxy)
    assert asked.names == ["thread.created", *BEGUN, *CALLING, "thread.run.requires_action"]
    assert [(name, arguments) for _, name, arguments in asked.calls] == [
        (name, f'{{"what":"{what}"}}') for name, what in wanted
    ]
    ids = [id_ for id_, _, _ in asked.calls]
    assert [each.id for each in asked.last.required_action.submit_tool_outputs.tool_calls] == ids
    submit = sdk.beta.threads.runs.submit_tool_outputs(
        asked.last.id,
        thread_id=asked.last.thread_id,
        tool_outputs=[{"tool_call_id": id_, "output": f"output of {id_}"} for id_ in reversed(ids)],
        stream=True,
    )
    told = Told(await sdk.every(await sdk.now(submit)), proxy)
    assert told.names == [*GOES_ON, *WRITTEN, "thread.run.completed"]
    answered = told.all_of("thread.run.step.completed")[0]
    assert [(each.id, each.function.output) for each in answered.step_details.tool_calls] == [
        (id_, f"output of {id_}") for id_ in ids
    ]


async def test_text_beside_calls_is_a_message_of_its_own(
    sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel
) -> None:
    question = model.will({"steps": ["One moment", ", please.", call("look_up", "x")]}, {"steps": ["Done."]})
    create = sdk.beta.threads.create_and_run(
        assistant_id=demo.ASSISTANT, tools=[function("look_up")], thread=user(question), stream=True
    )
    asked = Told(await sdk.every(await sdk.now(create)), proxy)
    assert asked.names == ["thread.created", *BEGUN, *WRITTEN, *CALLING, "thread.run.requires_action"]
    assert asked.text == "One moment, please."
    submit = sdk.beta.threads.runs.submit_tool_outputs(
        asked.last.id,
        thread_id=asked.last.thread_id,
        tool_outputs=[{"tool_call_id": asked.calls[0][0], "output": "found"}],
        stream=True,
    )
    told = Told(await sdk.every(await sdk.now(submit)), proxy)
    assert told.names == [*GOES_ON, *WRITTEN, "thread.run.completed"]
    listed = await sdk.every(sdk.beta.threads.messages.list(told.last.thread_id, order="asc"))
    assert [each.content[0].text.value for each in listed] == [question, "One moment, please.", "Done."]
    steps = await sdk.every(sdk.beta.threads.runs.steps.list(told.last.id, thread_id=told.last.thread_id, order="asc"))
    assert [each.type for each in steps] == ["message_creation", "tool_calls", "message_creation"]


async def test_a_call_that_a_service_answers(sdk: EitherClient, proxy: RecordingProxy) -> None:
    """The demo assistant asks Moodle: to its client the run is in progress all the time."""
    create = sdk.beta.threads.create_and_run(
        assistant_id=demo.ASSISTANT, thread=user("gib mir die termine von moodle"), stream=True
    )
    told = Told(await sdk.every(await sdk.now(create)), proxy)
    assert told.names == [
        "thread.created",
        *BEGUN,
        *CALLING,
        "thread.run.step.completed",
        *WRITTEN,
        "thread.run.completed",
    ]
    ((call_id, name, arguments),) = told.calls
    assert (name, arguments) == ("get_moodle_course_content", '{"courseid":"51589"}')
    answered = told.all_of("thread.run.step.completed")[0]
    (call_answered,) = answered.step_details.tool_calls
    assert call_answered.id == call_id
    for date in ("25.10.", "26.10.", "08.11.", "22.11."):
        assert date in call_answered.function.output
        assert date in told.text
    assert told.of("thread.message.completed").content[0].text.value == told.text


async def test_calls_of_client_and_service_in_one_step(
    sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel
) -> None:
    assistant = await sdk.now(sdk.beta.assistants.retrieve(demo.ASSISTANT))
    moodle = {"tool_call": {"name": "get_moodle_course_content", "arguments": {"courseid": "51589"}}}
    question = model.will({"steps": [moodle, call("look_up", "x")]}, {"steps": ["Both."]})
    create = sdk.beta.threads.create_and_run(
        assistant_id=demo.ASSISTANT,
        tools=[assistant.tools[0].to_dict(), function("look_up")],
        thread=user(question),
        stream=True,
    )
    asked = Told(await sdk.every(await sdk.now(create)), proxy)
    assert asked.names == ["thread.created", *BEGUN, *CALLING, "thread.run.requires_action"]
    assert [name for _, name, _ in asked.calls] == ["get_moodle_course_content", "look_up"]
    (required,) = asked.last.required_action.submit_tool_outputs.tool_calls
    assert (required.id, required.function.name) == asked.calls[1][:2]
    submit = sdk.beta.threads.runs.submit_tool_outputs(
        asked.last.id,
        thread_id=asked.last.thread_id,
        tool_outputs=[{"tool_call_id": required.id, "output": "found"}],
        stream=True,
    )
    told = Told(await sdk.every(await sdk.now(submit)), proxy)
    # Whether Moodle has answered before the client did decides if the run is seen to wait for it.
    assert told.names in (
        [*GOES_ON, *WRITTEN, "thread.run.completed"],
        ["thread.run.in_progress", "thread.run.step.completed", *WRITTEN, "thread.run.completed"],
    )
    answered = told.all_of("thread.run.step.completed")[0]
    outputs = [each.function.output for each in answered.step_details.tool_calls]
    assert outputs[1] == "found"
    assert "25.10." in outputs[0]


async def test_cancelled_while_the_model_writes(sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel) -> None:
    question = model.say("Half a ", {"gate": model.gate()}, "sentence.")
    events = []
    create = sdk.beta.threads.create_and_run(assistant_id=demo.ASSISTANT, thread=user(question), stream=True)
    async for event in sdk.each(await sdk.now(create)):
        events.append(event)
        if event.event == "thread.message.delta":
            run = await sdk.now(sdk.beta.threads.runs.cancel(events[1].data.id, thread_id=events[0].data.id))
            assert (run.id, run.status) == (events[1].data.id, "cancelling")
    told = Told(events, proxy)
    assert told.names == [
        "thread.created",
        *BEGUN,
        *WRITING,
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    message = told.of("thread.message.incomplete")
    assert (message.content[0].text.value, told.text) == ("Half a ", "Half a ")
    assert (message.incomplete_details.reason, message.completed_at) == ("run_cancelled", None)
    assert told.last.cancelled_at >= told.last.created_at
    assert (await sdk.now(sdk.beta.threads.messages.list(told.last.thread_id))).data[0] == message
    await sdk.now(sdk.beta.threads.messages.create(told.last.thread_id, role="user", content="free again"))


async def test_cancelled_while_it_waits_for_its_client(
    sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel
) -> None:
    question = model.will({"steps": [call("look_up", "x")]})
    create = sdk.beta.threads.create_and_run(
        assistant_id=demo.ASSISTANT, tools=[function("look_up")], thread=user(question), stream=True
    )
    asked = Told(await sdk.every(await sdk.now(create)), proxy)
    cancelled = await sdk.now(sdk.beta.threads.runs.cancel(asked.last.id, thread_id=asked.last.thread_id))
    assert (cancelled.id, cancelled.status) == (asked.last.id, "cancelled")


@pytest.mark.parametrize(
    ("refusal", "code", "says"),
    [
        ({"status": 400}, "invalid_prompt", "A scripted error of the model simulator"),
        ({"error": "invalid_api_key"}, "server_error", "model"),
        ({"error": "model_not_found"}, "server_error", "model"),
    ],
)
async def test_a_model_that_refuses(
    sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel, refusal: dict[str, Any], code: str, says: str
) -> None:
    thread = await sdk.now(sdk.beta.threads.create(**user(model.will(refusal))))
    stream = sdk.beta.threads.runs.create(thread.id, assistant_id=demo.ASSISTANT, stream=True)
    told = Told(await sdk.every(await sdk.now(stream)), proxy)
    assert told.names == [*BEGUN, "thread.run.failed"]
    assert (told.last.last_error.code, told.last.failed_at is None, told.last.completed_at) == (code, False, None)
    assert says in told.last.last_error.message
    assert "sk-" not in told.last.last_error.message
    assert len((await sdk.now(sdk.beta.threads.messages.list(thread.id))).data) == 1


async def test_a_model_that_breaks_off_is_asked_again(
    sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel
) -> None:
    question = model.will({"steps": ["Never ", "sa", {"cut": True}]}, {"steps": ["Said."]})
    create = sdk.beta.threads.create_and_run(assistant_id=demo.ASSISTANT, thread=user(question), stream=True)
    told = Told(await sdk.every(await sdk.now(create)), proxy)
    assert told.names == [
        "thread.created",
        *BEGUN,
        *WRITING,
        "thread.message.incomplete",
        "thread.run.step.failed",
        *WRITTEN,
        "thread.run.completed",
    ]
    cut, said = told.of("thread.message.incomplete"), told.of("thread.message.completed")
    assert (cut.content[0].text.value, cut.incomplete_details.reason) == ("Never sa", "run_failed")
    assert said.content[0].text.value == "Said."
    assert cut.id != said.id
    listed = (await sdk.now(sdk.beta.threads.messages.list(told.last.thread_id))).data
    assert [each.id for each in listed][:1] == [said.id]
    assert len(listed) == 2


async def test_the_limit_of_tokens_ends_the_message(
    sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel
) -> None:
    create = sdk.beta.threads.create_and_run(
        assistant_id=demo.ASSISTANT,
        model="demo+tokens=400+tps=0+first=0",
        max_completion_tokens=256,
        thread=user("tell me a long story"),
        stream=True,
    )
    told = Told(await sdk.every(await sdk.now(create)), proxy)
    assert told.names == [
        "thread.created",
        *BEGUN,
        *WRITING,
        "thread.message.incomplete",
        "thread.run.step.completed",
        "thread.run.incomplete",
    ]
    assert told.last.incomplete_details.reason == "max_completion_tokens"
    assert told.last.usage.completion_tokens == 256
    message = told.of("thread.message.incomplete")
    assert message.incomplete_details.reason == "max_tokens"
    assert message.content[0].text.value == told.text != ""


async def test_what_is_refused_is_refused_before_the_stream(sdk: EitherClient, proxy: RecordingProxy) -> None:
    with pytest.raises(openai.NotFoundError, match="No assistant found with id 'asst_nobody'"):
        await sdk.now(sdk.beta.threads.create_and_run(assistant_id="asst_nobody", stream=True))
    assert proxy.streams == []


async def test_whoever_leaves_a_stream_does_not_stop_the_run(
    sdk: EitherClient, proxy: RecordingProxy, model: ScriptedModel
) -> None:
    gate = model.gate()
    question = model.say("Begun ", {"gate": gate}, "and ended.")
    thread = await sdk.now(sdk.beta.threads.create(**user(question)))
    stream = await sdk.now(sdk.beta.threads.runs.create(thread.id, assistant_id=demo.ASSISTANT, stream=True))
    async for event in sdk.each(stream):
        if event.event == "thread.message.delta":
            break
    await sdk.now(stream.close())
    model.release(gate)
    (run,) = await sdk.every(sdk.beta.threads.runs.list(thread.id))
    done = await sdk.now(sdk.beta.threads.runs.poll(run.id, thread_id=thread.id))
    assert done.status == "completed"
    answer = (await sdk.now(sdk.beta.threads.messages.list(thread.id))).data[0]
    assert answer.content[0].text.value == "Begun and ended."
