"""Messages of tools that clients wrote: what a model gets of them, whatever there is of calls and outputs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_engine.domain.objects import Json, Message, Run
from run_orchestrator.adapters.model.chat_request import body_of
from run_orchestrator.application.model_facts import ModelFacts
from run_orchestrator.application.prompt import NOT_ANSWERED, build_prompt, shortened, weight, written_calls
from run_orchestrator.application.spoken import turns_of
from run_orchestrator.application.tokens import OF_A_CALL, OF_A_MESSAGE, TokenCounter
from run_orchestrator.application.tool_notes import BEFORE_AN_OUTPUT

Make = Callable[..., Message]


def calls(*call_ids: str) -> list[Json]:
    return [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in call_ids]


@pytest.fixture(scope="session")
def asks(a_message: Make) -> Make:
    return lambda *call_ids, said="": replace(a_message(said, role="assistant"), tool_calls=calls(*call_ids))


@pytest.fixture(scope="session")
def tells(a_message: Make) -> Make:
    return lambda call_id, output="out": replace(a_message(output, role="tool"), tool_call_id=call_id)


@pytest.fixture(scope="session")
def wire(a_run: Callable[..., Run]) -> Callable[[Sequence[Message]], list[Any]]:
    """The messages that a model gets for a thread of these, oldest first."""

    def wire(messages: Sequence[Message]) -> list[Any]:
        numbered = [replace(message, id=f"msg_{place}") for place, message in enumerate(messages)]
        prompt = build_prompt(a_run(instructions=None), numbered[::-1], [])
        found: list[Any] = orjson.loads(body_of(prompt, "upstream"))["messages"]
        return found

    return wire


Wire = Callable[[Sequence[Message]], list[Any]]


def test_an_output_goes_with_its_call_as_it_is(wire: Wire, a_message: Make, asks: Make, tells: Make) -> None:
    thread = [a_message("when?"), asks("c1", "c2", said="Let me see."), tells("c2", "two"), tells("c1", "one")]
    assert wire(thread) == [
        {"role": "user", "content": "when?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": calls("c1", "c2")},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
    ]
    assert wire([asks("c1"), tells("c1")])[0] == {"role": "assistant", "content": None, "tool_calls": calls("c1")}


def test_an_output_that_comes_later_goes_where_its_call_is(
    wire: Wire, a_message: Make, asks: Make, tells: Make
) -> None:
    thread = [asks("c1"), a_message("still there?"), tells("c1", "late")]
    assert [(each["role"], each["content"]) for each in wire(thread)] == [
        ("assistant", None),
        ("tool", "late"),
        ("user", "still there?"),
    ]


def test_a_call_without_an_output_is_said_to_have_none(wire: Wire, asks: Make) -> None:
    assert wire([asks("c1")])[1] == {"role": "tool", "tool_call_id": "c1", "content": NOT_ANSWERED}


def test_an_empty_output_is_one(wire: Wire, asks: Make, tells: Make) -> None:
    assert wire([asks("c1"), tells("c1", "")])[1]["content"] == ""


@pytest.mark.parametrize("call_id", [None, "c9", "c1"])
def test_an_output_without_a_call_is_a_note_that_is_not_taken_for_the_users_words(
    wire: Wire, a_message: Make, tells: Make, call_id: str | None
) -> None:
    thread = [a_message("when?"), tells(call_id, "on Monday"), tells(call_id, "")]
    assert wire(thread) == [
        {"role": "user", "content": "when?"},
        {"role": "user", "content": BEFORE_AN_OUTPUT + "on Monday"},
    ]


def test_a_call_has_one_output_and_the_next_is_a_note(wire: Wire, asks: Make, tells: Make) -> None:
    roles = [(each["role"], each["content"]) for each in wire([asks("c1"), tells("c1", "one"), tells("c1", "two")])]
    assert roles == [("assistant", None), ("tool", "one"), ("user", BEFORE_AN_OUTPUT + "two")]


def test_ids_that_come_again_are_other_calls(wire: Wire, asks: Make, tells: Make) -> None:
    thread = [asks("c1", "c1"), tells("c1", "one"), asks("c1"), tells("c1", "two")]
    assert [each["content"] for each in wire(thread) if each["role"] == "tool"] == ["one", "two"]


def test_who_sent_a_message_is_not_for_the_model(wire: Wire, a_message: Make) -> None:
    assert wire([replace(a_message("hello"), sender_id="user_ada")]) == [{"role": "user", "content": "hello"}]


def test_what_is_no_call_of_a_function_is_left_out(a_message: Make) -> None:
    odd: list[Json] = [None, {}, {"id": "c1", "type": "code_interpreter"}, *calls("c2"), {"id": 1, "function": {}}]
    message = replace(a_message("x", role="assistant"), tool_calls=odd)
    assert [call.id for call in written_calls(message)] == ["c2"]
    assert written_calls(replace(message, role="user")) == ()


def test_calls_and_outputs_take_room(asks: Make, tells: Make, a_message: Make) -> None:
    assert weight(asks("c1", "c2")) == 2 * len("f{}")
    assert weight(tells("c1", "output")) == len("output")


class OneCharacter:
    def count(self, text: str) -> int:
        return len(text)


async def test_calls_and_outputs_are_counted(asks: Make, tells: Make) -> None:
    counter, facts = TokenCounter(OneCharacter()), ModelFacts("o200k_base", 1_000, 10, 10)
    assert await counter.message(asks("c1", "c2", said="abc"), facts) == OF_A_MESSAGE + 3 + 2 * (OF_A_CALL + 3)
    assert await counter.message(tells("c1", "abc"), facts) == OF_A_MESSAGE + 3 + len(BEFORE_AN_OUTPUT)


def test_an_output_whose_call_was_cut_off_is_a_note(
    a_run: Callable[..., Run], asks: Make, tells: Make, a_message: Make
) -> None:
    thread = [asks("c1", said="x" * 100), tells("c1", "y" * 60), a_message("and now?")]
    cut = shortened(build_prompt(a_run(instructions=None), thread[::-1], []))
    assert cut is not None
    sent = orjson.loads(body_of(cut, "upstream"))["messages"]
    assert [each["content"] for each in sent] == [BEFORE_AN_OUTPUT + "y" * 60, "and now?"]


ids = st.sampled_from(["c1", "c2", "c3"])


@given(st.lists(st.tuples(st.sampled_from(["user", "asks", "tells"]), st.lists(ids, max_size=3)), max_size=12))
def test_whatever_clients_store_is_what_models_take(
    wire: Wire, a_message: Make, asks: Make, tells: Make, told: list[tuple[str, list[str]]]
) -> None:
    thread = []
    for place, (kind, call_ids) in enumerate(told):
        if kind == "user":
            thread.append(a_message(f"text {place}"))
        elif kind == "asks":
            thread.append(asks(*call_ids, said=f"text {place}"))
        else:
            thread.append(tells(call_ids[0] if call_ids else None, f"text {place}"))
    sent = wire(thread)
    due: list[str] = []
    for each in sent:
        if each["role"] == "tool":
            assert each["tool_call_id"] == due.pop(0), "outputs follow their calls at once, in order"
        else:
            assert due == [], "no call is left without an output"
            due = [call["id"] for call in each.get("tool_calls", [])]
    assert due == []
    words = [str(each["content"]) for each in sent]
    assert sum(f"text {place}" in word.splitlines() for place in range(len(told)) for word in words) == len(told)
    assert len(turns_of(thread)) == sum(each["role"] != "tool" for each in sent)
