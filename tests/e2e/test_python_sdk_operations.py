"""Every operation of the API once, with openai-python: what is said is kept, in its order, under its own id."""

from typing import Any

import openai
import pytest
from either_client import EitherClient
from recording_proxy import RecordingProxy
from scripted_model import ScriptedModel
from threadworks import demo

FUNCTION: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks something up.",
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]},
    },
}


def texts(message: Any) -> list[str]:
    return [part.text.value for part in message.content]


async def test_assistants(sdk: EitherClient) -> None:
    made = [
        await sdk.now(
            sdk.beta.assistants.create(
                model="demo",
                name=f"Ada {number}",
                description="Helps.",
                instructions="Be brief.",
                tools=[FUNCTION, {"type": "file_search"}, {"type": "code_interpreter"}],
                metadata={"number": str(number)},
                temperature=0.3,
                top_p=0.9,
                response_format={"type": "json_object"},
                reasoning_effort="low",
            )
        )
        for number in range(3)
    ]
    first = made[0]
    assert first.id.startswith("asst_")
    assert (first.object, first.model, first.name, first.description) == ("assistant", "demo", "Ada 0", "Helps.")
    assert (first.instructions, first.temperature, first.top_p) == ("Be brief.", 0.3, 0.9)
    assert (first.metadata, first.response_format.type) == ({"number": "0"}, "json_object")
    assert [tool.type for tool in first.tools] == ["function", "file_search", "code_interpreter"]
    assert first.tools[0].function.parameters == FUNCTION["function"]["parameters"]
    assert first.tools[0].function.strict is False
    assert await sdk.now(sdk.beta.assistants.retrieve(first.id)) == first

    pages = [each.id async for each in sdk.each(sdk.beta.assistants.list(limit=2, order="desc"))]
    assert pages[:3] == [each.id for each in reversed(made)]
    after = await sdk.now(sdk.beta.assistants.list(limit=1, order="asc", after=made[0].id))
    assert ([each.id for each in after.data], after.has_more) == ([made[1].id], True)
    before = await sdk.now(sdk.beta.assistants.list(order="asc", before=made[2].id))
    assert [each.id for each in before.data][-2:] == [made[0].id, made[1].id]

    changed = await sdk.now(
        sdk.beta.assistants.update(first.id, name="Eva", tools=[], metadata={"number": "0", "b": "2"})
    )
    assert (changed.id, changed.name, changed.tools, changed.metadata) == (
        first.id,
        "Eva",
        [],
        {"number": "0", "b": "2"},
    )
    assert (changed.instructions, changed.created_at) == ("Be brief.", first.created_at)
    for each in made:
        deleted = await sdk.now(sdk.beta.assistants.delete(each.id))
        assert (deleted.id, deleted.object, deleted.deleted) == (each.id, "assistant.deleted", True)
    with pytest.raises(openai.NotFoundError, match=f"No assistant found with id '{first.id}'"):
        await sdk.now(sdk.beta.assistants.retrieve(first.id))


async def test_threads_and_messages(sdk: EitherClient) -> None:
    thread = await sdk.now(
        sdk.beta.threads.create(
            messages=[
                {"role": "user", "content": "one", "metadata": {"n": "1"}},
                {"role": "assistant", "content": "two"},
                {"role": "user", "content": [{"type": "text", "text": "three"}, {"type": "text", "text": "more"}]},
            ],
            metadata={"a": "b"},
        )
    )
    assert thread.id.startswith("thread_")
    assert (thread.object, thread.metadata) == ("thread", {"a": "b"})
    assert await sdk.now(sdk.beta.threads.retrieve(thread.id)) == thread
    changed = await sdk.now(sdk.beta.threads.update(thread.id, metadata={"c": "d"}))
    assert (changed.id, changed.metadata["c"], changed.created_at) == (thread.id, "d", thread.created_at)

    fourth = await sdk.now(sdk.beta.threads.messages.create(thread.id, role="user", content="four"))
    assert fourth.id.startswith("msg_")
    assert (fourth.thread_id, fourth.role, fourth.status, texts(fourth)) == (thread.id, "user", "completed", ["four"])
    assert (fourth.assistant_id, fourth.run_id, fourth.attachments, fourth.metadata) == (None, None, [], {})
    assert await sdk.now(sdk.beta.threads.messages.retrieve(fourth.id, thread_id=thread.id)) == fourth

    listed = await sdk.every(sdk.beta.threads.messages.list(thread.id, order="asc", limit=1))
    assert [texts(each) for each in listed] == [["one"], ["two"], ["three", "more"], ["four"]]
    assert [each.role for each in listed] == ["user", "assistant", "user", "user"]
    assert [each.metadata for each in listed] == [{"n": "1"}, {}, {}, {}]
    assert listed[3] == fourth
    newest = await sdk.now(sdk.beta.threads.messages.list(thread.id, limit=2))
    assert [each.id for each in newest.data] == [listed[3].id, listed[2].id]
    assert (newest.first_id, newest.last_id, newest.has_more) == (listed[3].id, listed[2].id, True)
    before = await sdk.now(sdk.beta.threads.messages.list(thread.id, before=listed[0].id, limit=2))
    assert [each.id for each in before.data] == [listed[2].id, listed[1].id]

    noted = await sdk.now(sdk.beta.threads.messages.update(fourth.id, thread_id=thread.id, metadata={"e": "f"}))
    assert (noted.id, noted.metadata, texts(noted)) == (fourth.id, {"e": "f"}, ["four"])
    gone = await sdk.now(sdk.beta.threads.messages.delete(listed[1].id, thread_id=thread.id))
    assert (gone.id, gone.object, gone.deleted) == (listed[1].id, "thread.message.deleted", True)
    left = await sdk.every(sdk.beta.threads.messages.list(thread.id, order="asc"))
    assert [each.id for each in left] == [listed[0].id, listed[2].id, listed[3].id]

    deleted = await sdk.now(sdk.beta.threads.delete(thread.id))
    assert (deleted.id, deleted.object, deleted.deleted) == (thread.id, "thread.deleted", True)
    with pytest.raises(openai.NotFoundError, match=f"No thread found with id '{thread.id}'"):
        await sdk.now(sdk.beta.threads.messages.list(thread.id))


async def test_runs_and_steps(sdk: EitherClient, model: ScriptedModel) -> None:
    assistant = await sdk.now(sdk.beta.assistants.create(model="demo", instructions="Be brief.", tools=[FUNCTION]))
    question = model.will(
        {"steps": [{"tool_call": {"name": "look_up", "arguments": {"what": "x"}}}]}, {"steps": ["It is ", "found."]}
    )
    thread = await sdk.now(sdk.beta.threads.create(messages=[{"role": "user", "content": question}]))
    run = await sdk.now(
        sdk.beta.threads.runs.create(
            thread.id,
            assistant_id=assistant.id,
            additional_instructions="In English.",
            temperature=0.4,
            top_p=0.8,
            max_prompt_tokens=4000,
            max_completion_tokens=300,
            truncation_strategy={"type": "last_messages", "last_messages": 5},
            tool_choice="auto",
            parallel_tool_calls=False,
            response_format={"type": "text"},
            metadata={"a": "b"},
        )
    )
    assert run.id.startswith("run_")
    assert (run.object, run.status, run.thread_id, run.assistant_id) == (
        "thread.run",
        "queued",
        thread.id,
        assistant.id,
    )
    assert (run.model, run.instructions, run.metadata) == ("demo", "Be brief.\n\nIn English.", {"a": "b"})
    assert (run.temperature, run.top_p, run.max_prompt_tokens, run.max_completion_tokens) == (0.4, 0.8, 4000, 300)
    assert (run.truncation_strategy.type, run.truncation_strategy.last_messages) == ("last_messages", 5)
    assert (run.tool_choice, run.parallel_tool_calls, run.response_format.type) == ("auto", False, "text")
    assert (run.expires_at, run.usage, run.required_action) == (run.created_at + 600, None, None)
    with pytest.raises(openai.BadRequestError) as busy:
        await sdk.now(sdk.beta.threads.messages.create(thread.id, role="user", content="wait"))
    assert busy.value.body["message"] == f"Can't add messages to {thread.id} while a run {run.id} is active."  # type: ignore[index]

    waiting = await sdk.now(sdk.beta.threads.runs.poll(run.id, thread_id=thread.id))
    assert waiting.status == "requires_action"
    (call,) = waiting.required_action.submit_tool_outputs.tool_calls
    assert (call.type, call.function.name, call.function.arguments) == ("function", "look_up", '{"what":"x"}')
    with pytest.raises(openai.BadRequestError) as incomplete:
        await sdk.now(
            sdk.beta.threads.runs.submit_tool_outputs(
                run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": "call_other", "output": "1"}]
            )
        )
    assert incomplete.value.body["message"] == (  # type: ignore[index]
        f"Expected tool outputs for call_ids ['{call.id}'], got ['call_other']"
    )
    submitted = await sdk.now(
        sdk.beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": call.id, "output": "found"}]
        )
    )
    assert (submitted.id, submitted.status, submitted.required_action) == (run.id, "queued", None)
    done = await sdk.now(sdk.beta.threads.runs.poll(run.id, thread_id=thread.id))
    assert (done.status, done.last_error, done.expires_at) == ("completed", None, None)
    assert done.completed_at >= done.started_at >= done.created_at
    changed = await sdk.now(sdk.beta.threads.runs.update(run.id, thread_id=thread.id, metadata={"c": "d"}))
    assert (changed.metadata["c"], changed.status, changed.usage) == ("d", "completed", done.usage)
    assert await sdk.now(sdk.beta.threads.runs.retrieve(run.id, thread_id=thread.id)) == changed
    assert await sdk.every(sdk.beta.threads.runs.list(thread.id)) == [changed]

    steps = await sdk.every(sdk.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc", limit=1))
    assert [(step.type, step.status) for step in steps] == [
        ("tool_calls", "completed"),
        ("message_creation", "completed"),
    ]
    assert {(step.run_id, step.thread_id, step.assistant_id) for step in steps} == {(run.id, thread.id, assistant.id)}
    (made,) = steps[0].step_details.tool_calls
    assert (made.id, made.function.arguments, made.function.output) == (call.id, '{"what":"x"}', "found")
    assert sum(step.usage.total_tokens for step in steps) == done.usage.total_tokens > 0
    step = await sdk.now(
        sdk.beta.threads.runs.steps.retrieve(
            steps[0].id,
            thread_id=thread.id,
            run_id=run.id,
            include=["step_details.tool_calls[*].file_search.results[*].content"],
        )
    )
    assert step == steps[0]
    (answer,) = (await sdk.now(sdk.beta.threads.messages.list(thread.id, run_id=run.id))).data
    assert answer.id == steps[1].step_details.message_creation.message_id
    assert (answer.role, answer.status, texts(answer)) == ("assistant", "completed", ["It is found."])
    assert (answer.run_id, answer.assistant_id) == (run.id, assistant.id)
    with pytest.raises(openai.BadRequestError, match="Cannot cancel run with status 'completed'"):
        await sdk.now(sdk.beta.threads.runs.cancel(run.id, thread_id=thread.id))


async def test_a_run_that_waits_for_its_client_is_cancelled_at_once(sdk: EitherClient, model: ScriptedModel) -> None:
    question = model.will({"steps": [{"tool_call": {"name": "look_up", "arguments": {"what": "x"}}}]})
    run = await sdk.now(
        sdk.beta.threads.create_and_run_poll(
            assistant_id=demo.ASSISTANT, tools=[FUNCTION], thread={"messages": [{"role": "user", "content": question}]}
        )
    )
    assert run.status == "requires_action"
    cancelled = await sdk.now(sdk.beta.threads.runs.cancel(run.id, thread_id=run.thread_id))
    assert (cancelled.id, cancelled.status, cancelled.required_action) == (run.id, "cancelled", None)
    assert cancelled.cancelled_at >= run.created_at
    (step,) = await sdk.every(sdk.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id))
    assert (step.type, step.status) == ("tool_calls", "cancelled")
    with pytest.raises(openai.BadRequestError, match='Runs in status "cancelled" do not accept tool outputs'):
        await sdk.now(
            sdk.beta.threads.runs.submit_tool_outputs(
                run.id,
                thread_id=run.thread_id,
                tool_outputs=[{"tool_call_id": step.step_details.tool_calls[0].id, "output": "late"}],
            )
        )


async def test_files(sdk: EitherClient) -> None:
    made = [
        await sdk.now(sdk.openai.files.create(file=(f"{name}.txt", name.encode()), purpose="assistants"))
        for name in ("erste", "zweite")
    ]
    assert made[0].id.startswith("file-")
    assert (made[0].object, made[0].filename, made[0].bytes, made[0].purpose) == ("file", "erste.txt", 5, "assistants")
    assert await sdk.now(sdk.openai.files.retrieve(made[0].id)) == made[0]
    listed = await sdk.every(sdk.openai.files.list(limit=1, order="desc", purpose="assistants"))
    assert listed[:2] == made[::-1]
    assert (await sdk.now(sdk.openai.files.content(made[1].id))).content == b"zweite"
    for each in made:
        assert (await sdk.now(sdk.openai.files.delete(each.id))).id == each.id
    with pytest.raises(openai.NotFoundError, match=f"No file found with id '{made[0].id}'"):
        await sdk.now(sdk.openai.files.content(made[0].id))


async def test_models(sdk: EitherClient) -> None:
    assert "demo" in [each.id async for each in sdk.each(sdk.openai.models.list())]
    assert (await sdk.now(sdk.openai.models.retrieve("demo"))).id == "demo"


async def test_refusals_are_the_sdks_own_kinds(sdk: EitherClient) -> None:
    with pytest.raises(openai.NotFoundError, match="No assistant found with id 'asst_nobody'"):
        await sdk.now(sdk.beta.threads.create_and_run(assistant_id="asst_nobody"))
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.now(sdk.beta.assistants.create(model="demo", metadata={"key": "v" * 513}))
    assert (caught.value.param, caught.value.type) == ("metadata.key", "invalid_request_error")
    stranger = sdk.openai.with_options(api_key="sk-somebody-elses-key")
    with pytest.raises(openai.AuthenticationError) as unknown:
        await sdk.now(stranger.beta.threads.create())
    assert unknown.value.code == "invalid_api_key"


# Stays last: what the tests above have called.
def test_that_was_every_operation(sdk: EitherClient, proxy: RecordingProxy) -> None:
    known = {
        each for each in proxy.facts.known_operations() if each[1].startswith(("/assistants", "/threads", "/files"))
    }
    known.discard(("GET", "/threads"))  # ours; the SDKs do not know it
    assert known <= proxy.facts.operations
