"""What a run asks for is not only stored: the model's own request log shows it."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import imported
import pytest
from run_engine.domain import ids
from run_engine.domain.drafts import NewAssistant, NewMessage, NewThread
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus, StepStatus
from run_engine.store.imports import Imports

SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True}}
LOOKUP = {"type": "function", "function": {"name": "lookup", "description": "x", "parameters": {"type": "object"}}}
FILE_SEARCH, CODE_INTERPRETER = {"type": "file_search"}, {"type": "code_interpreter"}


def call(name: str, arguments: Any = "{}") -> dict[str, Any]:
    return {"tool_call": {"name": name, "arguments": arguments}}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def message(role: Any, *parts: Any) -> NewMessage:
    content = [text(part) if isinstance(part, str) else part for part in parts]
    return NewMessage(id=ids.render("message", uuid4()), role=role, content=content)


async def sent_for(stage: Any, *, has: Any = (), messages: Any = (), **fields: Any) -> dict[str, Any]:
    """The body of the request that a run of an assistant with these tools makes."""
    await stage.orchestrator(tool_services="")
    assistant = NewAssistant(
        id=ids.render("assistant", uuid4()),
        model="assistants-model",
        instructions="Be brief.",
        tools=list(has),
        temperature=0.5,
        top_p=0.9,
        response_format={"type": "json_object"},
        reasoning_effort="low",
    )
    await stage.assistants.create("tenant", assistant)
    thread = await stage.new_thread("hello")
    run = await stage.runs.start("tenant", thread.id, stage.new_run(assistant.id, **fields), messages)
    await stage.until_status(run, "completed")
    (body,) = await stage.model.bodies()
    return dict(body)


async def test_a_run_inherits_from_its_assistant(stage: Any) -> None:
    body = await sent_for(stage, has=[LOOKUP])
    assert body == {
        "model": "assistants-model",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}],
        "tools": [LOOKUP],
        "temperature": 0.5,
        "top_p": 0.9,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": "the-runs-model"}, {"model": "the-runs-model"}),
        ({"temperature": 0.0}, {"temperature": 0.0}),
        ({"top_p": 0.1}, {"top_p": 0.1}),
        ({"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ({"max_completion_tokens": 300}, {"max_completion_tokens": 300}),
        ({"response_format": {"type": "text"}}, {"response_format": {"type": "text"}}),
        ({"response_format": SCHEMA}, {"response_format": SCHEMA}),
        ({"response_format": "auto"}, {"response_format": None}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"parallel_tool_calls": True}, {"parallel_tool_calls": None}),
        ({"parallel_tool_calls": False, "tools": []}, {"parallel_tool_calls": None, "tools": None}),
        ({"tools": [LOOKUP, FILE_SEARCH, CODE_INTERPRETER]}, {"tools": [LOOKUP]}),
        ({"tools": [FILE_SEARCH], "tool_choice": "required"}, {"tools": None, "tool_choice": None}),
        ({"tool_choice": "none"}, {"tool_choice": "none"}),
        ({"tool_choice": "auto"}, {"tool_choice": None}),
        ({"tool_choice": FILE_SEARCH}, {"tool_choice": None}),
        ({"tool_choice": CODE_INTERPRETER}, {"tool_choice": None}),
    ],
)
async def test_what_a_run_sets_goes_before_its_assistant(
    stage: Any, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    body = await sent_for(stage, has=[{**LOOKUP, "function": {"name": "of_the_assistant"}}], **fields)
    assert {name: body.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "system"),
    [
        ({"instructions": "Be long."}, "Be long."),
        ({"additional_instructions": "And kind."}, "Be brief.\n\nAnd kind."),
        ({"instructions": "Be long.", "additional_instructions": "And kind."}, "Be long.\n\nAnd kind."),
    ],
)
async def test_instructions(stage: Any, fields: dict[str, Any], system: str) -> None:
    body = await sent_for(stage, **fields)
    assert body["messages"][0] == {"role": "system", "content": system}


async def test_additional_messages_images_and_what_users_put_into_the_assistants_mouth(stage: Any) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}
    plain = {"type": "image_url", "image_url": {"url": "https://example.org/b.png"}}
    messages = [message("assistant", "I said so."), message("user", "look:", image, plain), message("user", "well?")]
    body = await sent_for(stage, messages=messages)
    assert body["messages"][2:] == [
        {"role": "assistant", "content": "I said so."},
        {"role": "user", "content": [{"type": "text", "text": "look:"}, image, plain]},
        {"role": "user", "content": "well?"},
    ]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "lookup"}}])
async def test_what_must_be_called_must_be_called_once(stage: Any, choice: Any) -> None:
    await stage.orchestrator(tool_services="")
    await stage.model.script({"steps": [call("lookup")]}, {"steps": ["done"]})
    run = await stage.start_run(functions=["lookup"], tool_choice=choice)
    waiting = await stage.until_status(run, "requires_action")
    await stage.runs.submit_outputs("tenant", run.thread_id, run.id, [(waiting.required_calls[0].id, "out")])
    await stage.until_status(run, "completed")
    first, second = await stage.model.bodies()
    assert first["tool_choice"] == choice
    assert "tool_choice" not in second
    assert second["tools"] == first["tools"]


async def test_text_and_calls_of_one_reply_stay_one_message(stage: Any) -> None:
    await stage.orchestrator(tool_services="")
    await stage.model.script(
        {"steps": ["I look ", "it up.", call("lookup")]}, {"steps": [call("lookup")]}, {"steps": ["Found."]}
    )
    run = await stage.start_run(
        "hello", functions=["lookup"], truncation_strategy={"type": "last_messages", "last_messages": 1}
    )
    for round_ in (1, 2):
        await stage.until(lambda wanted=round_: stage.statuses(run).count("requires_action") == wanted)
        (required,) = (await stage.read(run)).required_calls
        await stage.runs.submit_outputs("tenant", run.thread_id, run.id, [(required.id, f"out {round_}")])
    await stage.until_status(run, "completed")
    assert await stage.texts(run) == ["I look it up.", "Found."]
    *_, third = await stage.model.bodies()
    assert [(one["role"], one["content"], len(one.get("tool_calls", ()))) for one in third["messages"][1:]] == [
        ("user", "hello", 0),
        ("assistant", "I look it up.", 1),
        ("tool", "out 1", 0),
        ("assistant", None, 1),
        ("tool", "out 2", 0),
    ]
    # The next run finds both messages in the thread, as any other.
    following = await stage.runs.start("tenant", run.thread_id, stage.new_run(run.assistant_id))
    await stage.until_status(following, "completed")
    *_, fourth = await stage.model.bodies()
    assert [one["content"] for one in fourth["messages"][1:]] == ["hello", "I look it up.", "Found."]


async def run_on(stage: Any, texts: list[str], **fields: Any) -> Run:
    thread = await stage.new_thread(*texts)
    run: Run = await stage.runs.start("tenant", thread.id, stage.new_run(await stage.new_assistant(), **fields))
    return run


WORDS = "one two three four five six seven eight nine ten "  # ten tokens, and one for the space at its end
TEXTS = [f"{number} {WORDS * 10}" for number in range(40)]


async def contents_sent(stage: Any) -> list[str]:
    *_, body = await stage.model.bodies()
    return [one["content"] for one in body["messages"][1:]]


async def test_a_thread_is_cut_to_the_models_window_from_its_beginning(stage: Any) -> None:
    await stage.orchestrator(context_windows={"small-": 2_000}, answer_tokens=500)
    await stage.until_status(await run_on(stage, TEXTS, model="small-1"), "completed")
    kept = await contents_sent(stage)
    # 1 500 tokens are left for the prompt, and each message is 100 words and a little.
    assert kept == TEXTS[-len(kept) :]
    assert 12 <= len(kept) <= 14
    await stage.until_status(await run_on(stage, TEXTS, model="small-1", max_completion_tokens=900), "completed")
    assert 8 <= len(await contents_sent(stage)) <= 10
    await stage.until_status(await run_on(stage, TEXTS, model="large"), "completed")
    assert await contents_sent(stage) == TEXTS


@pytest.mark.parametrize(("last", "fitting"), [(3, 3), (30, 13)])
async def test_last_messages_fit_the_window_as_well(stage: Any, last: int, fitting: int) -> None:
    await stage.orchestrator(context_windows={"small-": 2_000}, answer_tokens=500)
    strategy = {"type": "last_messages", "last_messages": last}
    await stage.until_status(await run_on(stage, TEXTS, model="small-1", truncation_strategy=strategy), "completed")
    kept = await contents_sent(stage)
    assert kept == TEXTS[-len(kept) :]
    assert len(kept) == pytest.approx(fitting, abs=1 if last == 30 else 0)


async def test_more_last_messages_than_the_bound_of_others_are_taken(stage: Any) -> None:
    await stage.orchestrator(prompt_messages=5)
    strategy = {"type": "last_messages", "last_messages": 30}
    await stage.until_status(await run_on(stage, TEXTS, truncation_strategy=strategy), "completed")
    assert await contents_sent(stage) == TEXTS[-30:]


async def test_prompt_tokens_are_rationed_over_the_rounds(stage: Any) -> None:
    await stage.orchestrator(tool_services="")
    usage = {"prompt_tokens": 1_000, "completion_tokens": 5, "total_tokens": 1_005}
    await stage.model.script({"steps": [call("lookup")], "usage": usage}, {"steps": [call("lookup")], "usage": usage})
    thread = await stage.new_thread(*TEXTS)
    assistant = await stage.new_assistant(functions=["lookup"])
    run = await stage.runs.start("tenant", thread.id, stage.new_run(assistant, max_prompt_tokens=1_500))
    waiting = await stage.until_status(run, "requires_action")
    assert 12 <= len(await contents_sent(stage)) <= 14
    await stage.runs.submit_outputs("tenant", run.thread_id, run.id, [(waiting.required_calls[0].id, "out")])
    await stage.until(lambda: stage.statuses(run).count("requires_action") == 2)
    *_, body = await stage.model.bodies()
    assert len([one for one in body["messages"] if one["role"] == "user"]) in (3, 4), "500 tokens are left"
    (required,) = (await stage.read(run)).required_calls
    await stage.runs.submit_outputs("tenant", run.thread_id, run.id, [(required.id, "out")])
    ended = await stage.until_status(run, "incomplete")
    assert ended.incomplete_details == {"reason": "max_prompt_tokens"}
    assert ended.usage.prompt_tokens == 2_000
    assert len(await stage.model.requests()) == 2


async def test_a_prompt_that_no_ration_is_enough_for_is_not_sent(stage: Any) -> None:
    await stage.orchestrator()
    run = await run_on(stage, [WORDS * 40], max_prompt_tokens=300)
    ended = await stage.until_status(run, "incomplete")
    assert ended.incomplete_details == {"reason": "max_prompt_tokens"}
    assert await stage.model.requests() == []
    assert await stage.texts(run) == []


async def test_a_model_that_reads_less_than_we_thought_is_asked_again_with_less(stage: Any) -> None:
    await stage.orchestrator()
    await stage.model.script({"error": "context_length_exceeded"})
    run = await run_on(stage, TEXTS)
    await stage.until_status(run, "completed")
    first, second = await stage.model.bodies()
    assert [one["content"] for one in first["messages"][1:]] == TEXTS
    kept = [one["content"] for one in second["messages"][1:]]
    assert kept == TEXTS[-len(kept) :]
    assert 15 <= len(kept) <= 20
    await stage.model.script({"error": "context_length_exceeded", "times": None})
    ended = await stage.until_status(await run_on(stage, TEXTS), "failed")
    assert ended.last_error["code"] == "invalid_prompt"
    assert len(await stage.model.requests()) == 4


async def test_usage_that_a_server_keeps_to_itself_is_counted(stage: Any) -> None:
    await stage.orchestrator(tool_services="")
    chunk = '{"choices": [{"index": 0, "delta": {"content": "hello world"}, "finish_reason": "stop"}]}'
    await stage.model.script({"steps": [{"raw": f"data: {chunk}\n\ndata: [DONE]\n\n"}, {"cut": True}]})
    run = await run_on(stage, ["hello world"])
    ended = await stage.until_status(run, "completed")
    # "Be brief." and "hello world" are 3 and 2 tokens.
    assert (ended.usage.prompt_tokens, ended.usage.completion_tokens) == ((4 + 3) + (4 + 2) + 3, 2)
    (step,) = (await stage.runs.list_steps("tenant", run.thread_id, run.id, stage.page())).items
    assert step.usage == ended.usage


async def test_an_imported_run_goes_on_from_what_it_had_done(stage: Any) -> None:
    await stage.orchestrator(tool_services="")
    searched = {"id": "call_s", "type": "file_search", "file_search": {"results": [{"file_name": "exams.pdf"}]}}
    said = imported.message(
        id="msg_said", role="assistant", run_id="run_old", assistant_id="asst_old", content=[text("I look.")]
    )
    steps = [
        imported.step(id="step_1", other_calls=((0, searched),)),
        imported.step(id="step_2", type="message_creation", message_id="msg_said"),
        imported.step(imported.call("call_1", "first"), id="step_3"),
        imported.step(
            imported.call("call_2"), id="step_4", status=StepStatus.IN_PROGRESS, completed_at=None, usage=None
        ),
    ]
    steps = [replace(each, created_at=each.created_at.replace(minute=number)) for number, each in enumerate(steps)]
    run = imported.waiting(imported.call("call_2"), tools=[FILE_SEARCH, {**LOOKUP, "function": {"name": "f"}}])
    objects = [imported.assistant(), imported.thread(), imported.message(), said, run, *steps]
    await Imports(stage.database).store("tenant", enumerate(objects))
    await stage.runs.submit_outputs("tenant", "thread_old", "run_old", [("call_2", "second")])
    ended = await stage.until_status(run, "completed")
    assert ended.status is RunStatus.COMPLETED
    (body,) = await stage.model.bodies()
    assert [
        (one["role"], one["content"], [c["id"] for c in one.get("tool_calls", ())]) for one in body["messages"]
    ] == [
        ("system", "Be brief.", []),
        ("user", "hello", []),
        ("assistant", "[file_search found something in: exams.pdf]", []),
        ("assistant", "I look.", ["call_1"]),
        ("tool", "first", []),
        ("assistant", None, ["call_2"]),
        ("tool", "second", []),
    ]


async def test_a_thread_of_the_assistants_words_alone_is_answered_too(stage: Any) -> None:
    await stage.orchestrator()
    assistant = await stage.new_assistant()
    thread = NewThread(id=ids.render("thread", uuid4()), messages=(message("assistant", "Ask me."),))
    run = await stage.runs.start_on_new_thread("tenant", thread, stage.new_run(assistant))
    await stage.until_status(run, "completed")
    assert (await stage.model.bodies())[0]["messages"][1:] == [{"role": "assistant", "content": "Ask me."}]
