"""A prompt is cut until it fits: what goes first, what always stays, and when a run has used up what it may use."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_engine.domain.objects import Message, Run, RunStep, Usage
from run_orchestrator.application.fitting import Fitted, Fitting
from run_orchestrator.application.model_facts import ModelTable
from run_orchestrator.application.prompt import build_prompt
from run_orchestrator.application.reply import FunctionCall, Reply

# What stands around the messages here: the system message "Be brief." and the beginning of the answer.
AROUND = 4 + len("Be brief.") + 3


class OneCharacter:
    def __init__(self, encoding: str) -> None:
        self.encoding = encoding

    def count(self, text: str) -> int:
        return len(text)


Fit = Callable[..., Any]


@pytest.fixture(scope="session")
def fit(a_run: Callable[..., Run], a_message: Callable[..., Message]) -> Fit:
    """Fits a prompt of messages with these texts, oldest first, into a window that leaves `room` for the prompt."""

    async def fit(texts: Sequence[str], *, room: int, steps: Sequence[RunStep] = (), **fields: Any) -> Fitted:
        messages = [replace(a_message(text), id=f"msg_{number}") for number, text in enumerate(texts)]
        run = a_run(model="m", **fields)
        fitting = Fitting(ModelTable(windows={"m": 2 * room}, otherwise=1, aliases={}), OneCharacter, reserve=room)
        return await fitting.fit(build_prompt(run, messages[::-1], steps), run, steps)

    return fit


def texts_of(fitted: Fitted) -> list[str]:
    return [message.content[0]["text"]["value"] for message in fitted.prompt.messages]


async def test_all_of_a_short_thread_fits(fit: Fit) -> None:
    fitted = await fit(["aaa", "bbb"], room=AROUND + 14)
    assert texts_of(fitted) == ["aaa", "bbb"]
    assert (fitted.tokens, fitted.left_out, fitted.used_up) == (AROUND + 14, 0, False)


async def test_the_oldest_go_first_whatever_else_would_fit(fit: Fit) -> None:
    fitted = await fit(["a", "b" * 50, "ccc"], room=AROUND + 20)
    assert texts_of(fitted) == ["ccc"]
    assert (fitted.tokens, fitted.left_out) == (AROUND + 7, 2)


async def test_the_newest_message_stays_even_where_nothing_fits(fit: Fit) -> None:
    fitted = await fit(["aaa", "b" * 500], room=AROUND + 20)
    assert texts_of(fitted) == ["b" * 500]
    assert (fitted.left_out, fitted.used_up) == (1, False), "the model may know better"


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=20), room=st.integers(30, 600))
async def test_as_many_of_the_newest_as_fit(fit: Fit, sizes: list[int], room: int) -> None:
    fitted = await fit(["x" * size for size in sizes], room=room)
    kept = len(fitted.prompt.messages)
    assert kept >= 1
    assert texts_of(fitted) == ["x" * size for size in sizes[-kept:]]
    assert fitted.tokens == AROUND + sum(4 + size for size in sizes[-kept:])
    assert kept == 1 or fitted.tokens <= room
    assert kept == len(sizes) or fitted.tokens + 4 + sizes[-kept - 1] > room


async def test_what_stays_takes_its_room(fit: Fit, a_step: Callable[..., RunStep], a_call: Callable[..., Any]) -> None:
    function = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    schema = {"type": "json_schema", "json_schema": {"name": "s"}}
    step = a_step(a_call("call_1", "out"))
    fitted = await fit(["aaa", "bbb"], room=200, tools=[function], response_format=schema, steps=[step])
    assert fitted.prompt.functions == (function,)
    assert len(fitted.prompt.rounds) == 1
    # The function, its end, the schema; the message of the call, the call, its answer.
    of_the_function, of_the_schema = 7 + len("f:") + 12, len('{"name":"s"}')
    of_the_round = 4 + (8 + len("f") + len('{"x": 1}')) + (4 + len("out"))
    assert fitted.tokens == AROUND + 14 + of_the_function + of_the_schema + of_the_round
    cut = await fit(["aaa", "bbb"], room=fitted.tokens - 1, tools=[function], response_format=schema, steps=[step])
    assert texts_of(cut) == ["bbb"]
    assert len(cut.prompt.rounds) == 1


async def test_an_answer_has_the_room_that_the_run_allows_it(fit: Fit) -> None:
    texts = ["a" * 50, "b" * 50]
    assert len(texts_of(await fit(texts, room=100))) == 1
    assert len(texts_of(await fit(texts, room=100, max_completion_tokens=10))) == 2
    # A limit beyond the window still leaves half of it to the prompt.
    assert len(texts_of(await fit(texts, room=130, max_completion_tokens=10_000))) == 2


async def test_the_limit_of_the_run_counts_over_all_its_rounds(
    fit: Fit, a_step: Callable[..., RunStep], a_call: Callable[..., Any]
) -> None:
    texts = ["a" * 50, "b" * 50, "c" * 50]
    assert len(texts_of(await fit(texts, room=1_000, max_prompt_tokens=AROUND + 54 * 2))) == 2
    spent = a_step(a_call("call_1", "out"), usage=Usage(prompt_tokens=300, completion_tokens=9))
    of_the_round = 4 + (8 + len("f") + len('{"x": 1}')) + (4 + len("out"))
    limit = 300 + AROUND + of_the_round + 54
    last = await fit(texts, room=1_000, steps=[spent], max_prompt_tokens=limit)
    assert texts_of(last) == ["c" * 50]
    assert not last.used_up
    assert (await fit(texts, room=1_000, steps=[spent], max_prompt_tokens=limit - 1)).used_up


async def test_usage_is_the_servers_where_it_gives_one(a_run: Callable[..., Run], fit: Fit) -> None:
    fitting = Fitting(ModelTable(windows={}, otherwise=1_000, aliases={}), OneCharacter, reserve=10)
    asked = await fit(["aaa"], room=100)
    told = Usage(prompt_tokens=5, completion_tokens=6)
    assert await fitting.usage(asked, Reply("hello", "", (), "stop", told)) == told
    counted = await fitting.usage(asked, Reply("hello", "no", (FunctionCall("c", "f", "{}"),), "stop", Usage()))
    assert counted == Usage(prompt_tokens=AROUND + 7, completion_tokens=5 + 2 + 8 + 1 + 2)


def test_no_more_of_a_thread_is_read_than_could_ever_fit(a_run: Callable[..., Run]) -> None:
    fitting = Fitting(ModelTable(windows={"m": 8_000}, otherwise=1, aliases={}), OneCharacter, reserve=10)
    assert fitting.most_characters(a_run(model="m")) == 80_000
    assert fitting.most_characters(a_run(model="m", max_prompt_tokens=300)) == 3_000
    assert fitting.most_characters(a_run(model="m", max_prompt_tokens=30_000)) == 80_000
