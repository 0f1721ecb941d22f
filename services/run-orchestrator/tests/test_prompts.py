"""What goes into a prompt, and what it looks like on the wire."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_engine.domain.objects import Message, Run, RunStep, ToolCall, Usage
from run_engine.domain.status import MessageStatus, StepStatus
from run_orchestrator.adapters.model.chat_request import body_of
from run_orchestrator.application.prompt import (
    NOT_ANSWERED,
    Prompt,
    build_prompt,
    most_messages,
    shortened,
    used_up,
    weight,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)
FUNCTION = {"type": "function", "function": {"name": "f", "description": None, "parameters": {"type": "object"}}}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def body(prompt: Prompt) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(body_of(prompt, "upstream"))
    return found


def test_defaults_are_left_to_the_model(a_run: Callable[..., Run], a_message: Callable[..., Message]) -> None:
    assert body(build_prompt(a_run(), [a_message("hello")], [])) == {
        "model": "upstream",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("instructions", [None, ""])
def test_no_instructions(
    a_run: Callable[..., Run], a_message: Callable[..., Message], instructions: str | None
) -> None:
    prompt = build_prompt(a_run(instructions=instructions), [a_message("hello")], [])
    assert body(prompt)["messages"] == [{"role": "user", "content": "hello"}]


def test_messages_are_oldest_first_and_say_something(
    a_run: Callable[..., Run], a_message: Callable[..., Message]
) -> None:
    newest_first = [
        a_message("c"),
        a_message("half", role="assistant", status=MessageStatus.IN_PROGRESS),
        a_message("cut off", role="assistant", status=MessageStatus.INCOMPLETE),
        a_message("", role="assistant"),
        replace(a_message(), content=[]),
        a_message("a"),
    ]
    contents = [one["content"] for one in body(build_prompt(a_run(), newest_first, []))["messages"][1:]]
    assert contents == ["a", "cut off", "c"]


def test_parts_of_messages(a_run: Callable[..., Run], a_message: Callable[..., Message]) -> None:
    asked = a_message(
        "look:",
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": None}},
        {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "auto"}},
    )
    refused = a_message({"type": "refusal", "refusal": "No."}, role="assistant")
    answered = a_message("one", "two", role="assistant")
    messages = body(build_prompt(a_run(), [asked, refused, answered], []))["messages"][1:]
    assert messages == [
        {"role": "assistant", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look:"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "text", "text": "[image file-1, which you cannot see]"},
            ],
        },
    ]


def test_tool_rounds_follow_the_messages(
    a_run: Callable[..., Run],
    a_message: Callable[..., Message],
    a_step: Callable[..., RunStep],
    a_call: Callable[..., ToolCall],
) -> None:
    steps = [
        a_step(a_call("call_1"), a_call("call_2", None)),
        a_step(a_call("call_3"), status=StepStatus.FAILED),
        a_step(a_call("call_4")),
    ]
    messages = body(build_prompt(a_run(tools=[FUNCTION]), [a_message("hello")], steps))["messages"][2:]
    assert [one["role"] for one in messages] == ["assistant", "tool", "tool", "assistant", "tool"]
    assert [one["id"] for one in messages[0]["tool_calls"]] == ["call_1", "call_2"]
    assert messages[0]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x": 1}'}
    assert [(one["tool_call_id"], one["content"]) for one in messages if one["role"] == "tool"] == [
        ("call_1", "out"),
        ("call_2", NOT_ANSWERED),
        ("call_4", "out"),
    ]


def test_only_functions_are_offered(a_run: Callable[..., Run]) -> None:
    prompt = build_prompt(a_run(tools=[{"type": "file_search"}, FUNCTION, {"type": "code_interpreter"}]), [], [])
    assert body(prompt)["tools"] == [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    assert prompt.function_names == {"f"}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", None),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "function", "function": {"name": "g"}}, None),
        ({"type": "file_search"}, None),
    ],
)
def test_tool_choices(
    a_run: Callable[..., Run],
    a_message: Callable[..., Message],
    choice: Any,
    sent: Any,
    a_step: Callable[..., RunStep],
    a_call: Callable[..., ToolCall],
) -> None:
    prompt = build_prompt(a_run(tools=[FUNCTION], tool_choice=choice), [a_message("x")], [])
    assert body(prompt).get("tool_choice") == sent
    after_a_round = build_prompt(
        a_run(tools=[FUNCTION], tool_choice=choice), [a_message("x")], [a_step(a_call("call_1"))]
    )
    # What was to be called has been called; what must not be called still must not.
    assert body(after_a_round).get("tool_choice") == ("none" if choice == "none" else None)


def test_tool_parameters_are_not_sent_without_tools(
    a_run: Callable[..., Run], a_message: Callable[..., Message]
) -> None:
    sent = body(build_prompt(a_run(tool_choice="required", parallel_tool_calls=False), [a_message("x")], []))
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & sent.keys()


def test_what_differs_from_the_default_is_sent(
    a_run: Callable[..., Run],
    a_message: Callable[..., Message],
    a_step: Callable[..., RunStep],
    a_call: Callable[..., ToolCall],
) -> None:
    sent = body(
        build_prompt(
            a_run(
                tools=[FUNCTION],
                temperature=0.0,
                top_p=0.5,
                parallel_tool_calls=False,
                response_format={"type": "json_object"},
                reasoning_effort="high",
                max_completion_tokens=500,
            ),
            [a_message("x")],
            [a_step(a_call("call_1"), usage=Usage(prompt_tokens=10, completion_tokens=120))],
        )
    )
    assert sent["temperature"] == 0
    assert sent["top_p"] == 0.5
    assert sent["parallel_tool_calls"] is False
    assert sent["response_format"] == {"type": "json_object"}
    assert sent["reasoning_effort"] == "high"
    assert sent["max_completion_tokens"] == 380


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({"type": "auto", "last_messages": None}, 500),
        ({"type": "last_messages", "last_messages": 3}, 3),
        ({"type": "last_messages", "last_messages": 3000}, 3000),
        ({"type": "last_messages", "last_messages": None}, 500),
        ({}, 500),
    ],
)
def test_truncation_strategies(a_run: Callable[..., Run], strategy: Any, expected: int) -> None:
    assert most_messages(a_run(truncation_strategy=strategy), 500) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, None),
        ({"max_completion_tokens": 31}, None),
        ({"max_completion_tokens": 30}, "max_completion_tokens"),
        ({"max_prompt_tokens": 201}, None),
        ({"max_prompt_tokens": 200}, "max_prompt_tokens"),
    ],
)
def test_limits_are_those_of_the_whole_run(
    a_run: Callable[..., Run],
    limits: dict[str, int],
    expected: str | None,
    a_step: Callable[..., RunStep],
    a_call: Callable[..., ToolCall],
) -> None:
    steps = [
        a_step(a_call(name), usage=Usage(prompt_tokens=100, completion_tokens=15)) for name in ("call_1", "call_2")
    ]
    assert used_up(a_run(**limits), steps) == expected
    assert used_up(a_run(**limits), []) is None


@given(sizes=st.lists(st.integers(1, 1000), min_size=1, max_size=30))
def test_shortening_keeps_the_newest_and_at_most_half(
    a_run: Callable[..., Run], a_message: Callable[..., Message], sizes: list[int]
) -> None:
    prompt = build_prompt(a_run(), [a_message("x" * size) for size in reversed(sizes)], [])
    shorter = shortened(prompt)
    if len(sizes) == 1:
        assert shorter is None
        return
    assert shorter is not None
    assert 1 <= len(shorter.messages) < len(sizes)
    assert shorter.messages == prompt.messages[-len(shorter.messages) :]
    total = sum(sizes)
    assert len(shorter.messages) == 1 or sum(map(weight, shorter.messages)) <= total / 2


def test_shortening_keeps_the_tool_rounds(
    a_run: Callable[..., Run],
    a_message: Callable[..., Message],
    a_step: Callable[..., RunStep],
    a_call: Callable[..., ToolCall],
) -> None:
    prompt = build_prompt(a_run(), [a_message("b"), a_message("a")], [a_step(a_call("call_1"))])
    shorter = shortened(prompt)
    assert shorter == replace(prompt, messages=prompt.messages[1:])


def test_what_the_run_said_is_told_once_and_beside_its_calls(
    a_run: Callable[..., Run],
    a_message: Callable[..., Message],
    a_step: Callable[..., RunStep],
    a_call: Callable[..., ToolCall],
) -> None:
    def own(message_id: str, *texts: str) -> Message:
        return replace(a_message(*texts, role="assistant"), id=message_id, run_id="run_1")

    history = [
        own("msg_alone", "I begin again."),
        own("msg_first", "I look it up.", "At once."),
        replace(a_message("hello"), id="msg_user"),
        replace(a_message("of another run", role="assistant"), id="msg_other", run_id="run_0"),
    ]
    steps = [
        a_step(message_id="msg_first"),
        a_step(a_call("call_1")),
        a_step(a_call("call_2")),
        a_step(message_id="msg_deleted"),
        a_step(a_call("call_3")),
        a_step(message_id="msg_alone"),
        a_step(status=StepStatus.FAILED),
        a_step(message_id="msg_abandoned", status=StepStatus.FAILED),
    ]
    prompt = build_prompt(a_run(tools=[FUNCTION]), history, steps)
    sent = body(prompt)["messages"][1:]
    assert [(one["role"], one["content"]) for one in sent] == [
        ("assistant", "of another run"),
        ("user", "hello"),
        ("assistant", "I look it up.\nAt once."),
        ("tool", "out"),
        ("assistant", None),
        ("tool", "out"),
        ("assistant", None),
        ("tool", "out"),
        ("assistant", "I begin again."),
    ]
    assert [one["tool_calls"][0]["id"] for one in sent if "tool_calls" in one] == ["call_1", "call_2", "call_3"]


def test_the_messages_of_the_run_do_not_count_for_its_truncation_strategy(
    a_run: Callable[..., Run], a_step: Callable[..., RunStep], a_call: Callable[..., ToolCall]
) -> None:
    steps = [a_step(message_id="msg_1"), a_step(a_call("call_1")), a_step(message_id="msg_2", status=StepStatus.FAILED)]
    assert most_messages(a_run(), 500, steps) == 501
    assert most_messages(a_run(truncation_strategy={"type": "last_messages", "last_messages": 3}), 500, steps) == 4


def test_calls_of_other_tools_are_told_in_words(
    a_run: Callable[..., Run], a_step: Callable[..., RunStep], a_call: Callable[..., ToolCall]
) -> None:
    code = {
        "id": "call_a",
        "type": "code_interpreter",
        "code_interpreter": {
            "input": "print(1)" + "#" * 600,
            "outputs": [{"type": "logs", "logs": "1"}, {"type": "image", "image": {"file_id": "file-1"}}],
        },
    }
    found = {"id": "call_b", "type": "file_search", "file_search": {"results": [{"file_name": "a.pdf"}, 5]}}
    silent = {"id": "call_c", "type": "file_search", "file_search": {}}
    steps = [
        a_step(other_calls=((1, found), (0, code))),
        a_step(a_call("call_1"), other_calls=((1, silent), (2, {"type": 5}))),
    ]
    prompt = build_prompt(a_run(tools=[FUNCTION], tool_choice="required"), [], steps)
    first, second, _ = body(prompt)["messages"][1:]
    assert first["role"] == "assistant"
    ran, searched = first["content"].splitlines()[0], first["content"].splitlines()[-1]
    assert ran.startswith("[code_interpreter ran: print(1)#")
    assert first["content"].endswith("…, which printed: 1\n(image)]\n[file_search found something in: a.pdf]")
    assert searched == "[file_search found something in: a.pdf]"
    assert second["content"] == "[file_search was used]\n[a tool was used]"
    assert second["tool_calls"][0]["id"] == "call_1"


def test_images_of_an_assistant_are_told_in_words(a_run: Callable[..., Run], a_message: Callable[..., Message]) -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "auto"}}
    (sent,) = body(build_prompt(a_run(), [a_message(image, role="assistant")], []))["messages"][1:]
    assert sent == {"role": "assistant", "content": "[image_file, which you cannot see]"}
