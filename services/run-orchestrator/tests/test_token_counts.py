"""Tokens are counted as OpenAI counts them, from tables on this machine, without holding anything up for long."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from run_engine.domain.objects import Message
from run_orchestrator.adapters.tokenizer import BpeTokenizer
from run_orchestrator.application.model_facts import ModelTable
from run_orchestrator.application.tokens import PIECE, REMEMBERED_FROM, TokenCounter

ENGLISH = "The quick brown fox jumps over the lazy dog, and then it writes a letter to its aunt. "


class Counted:
    """Four characters a token; notes what it was given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def count(self, text: str) -> int:
        self.given.append(len(text))
        return -(-len(text) // 4)


@pytest.fixture(scope="module")
def o200k() -> BpeTokenizer:
    return BpeTokenizer("o200k_base")


@pytest.fixture
def table() -> ModelTable:
    return ModelTable(windows={"llama": 8_192, "gpt-4o-small": 4_096}, otherwise=32_000, aliases={"demo": "gpt-4"})


# As OpenAI's own tokenizer counts them.
@pytest.mark.parametrize(
    ("text", "o200k_tokens", "cl100k_tokens"),
    [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 8, 9),
        ("<|endoftext|>", 7, 7),
    ],
)
def test_tokens_are_those_of_openai(o200k: BpeTokenizer, text: str, o200k_tokens: int, cl100k_tokens: int) -> None:
    assert o200k.count(text) == o200k_tokens
    assert BpeTokenizer("cl100k_base").count(text) == cl100k_tokens


def test_half_a_character_is_counted_and_breaks_nothing(o200k: BpeTokenizer) -> None:
    assert o200k.count("a\ud800b") == o200k.count("a?b")


@pytest.mark.parametrize(
    "text", [ENGLISH, "a", " ", "\n", "今天天气很好", "😀", '{"a": [1, 2], "b": {"c": "d"}}', "x9_"]
)
def test_no_text_holds_up_the_loop(o200k: BpeTokenizer, text: str) -> None:
    piece = (text * PIECE)[:PIECE]
    o200k.count("x")
    started = time.process_time()
    o200k.count(piece)
    # 2 to 4 ms on a quiet machine: a quadratic tokenizer needs seconds for some of these.
    assert time.process_time() - started < 0.1


async def test_a_long_text_is_counted_in_pieces_and_others_go_on_in_between() -> None:
    tokenizer = Counted()
    counter, turns = TokenCounter(tokenizer), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    assert await counter.text("x" * (5 * PIECE)) == 5 * PIECE / 4
    task.cancel()
    assert tokenizer.given == [PIECE] * 5
    assert turns >= 4


async def test_many_short_texts_leave_pauses_too() -> None:
    counter, turns = TokenCounter(Counted()), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    for _ in range(5 * PIECE // 100):
        await counter.text("x" * 100)
    task.cancel()
    assert turns >= 4


async def test_counting_stops_when_there_is_enough() -> None:
    tokenizer = Counted()
    counter = TokenCounter(tokenizer)
    assert await counter.text("x" * (9 * PIECE), enough=PIECE / 4) > PIECE / 4
    assert tokenizer.given == [PIECE] * 2
    assert await counter.text("x" * (9 * PIECE)) == 9 * PIECE / 4, "half a count is not remembered"


async def test_counts_are_remembered_by_text() -> None:
    tokenizer = Counted()
    counter = TokenCounter(tokenizer)
    for text in ("a" * REMEMBERED_FROM, "a" * REMEMBERED_FROM, "b" * REMEMBERED_FROM):
        assert await counter.text(text) == REMEMBERED_FROM / 4
    assert len(tokenizer.given) == 2


async def test_only_so_many_counts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("run_orchestrator.application.tokens.REMEMBERED", 2)
    tokenizer = Counted()
    counter = TokenCounter(tokenizer)
    for letter in "aabacaba":
        await counter.text(letter * REMEMBERED_FROM)
    # b, c and b again: a was used in between each time, so it was never the oldest.
    assert len(tokenizer.given) == 4


async def test_a_message_counts_its_parts_and_what_stands_around_it(
    a_message: Callable[..., Message], table: ModelTable
) -> None:
    counter, facts = TokenCounter(Counted()), table.of("gpt-4o")
    assert await counter.message(a_message("four"), facts) == 4 + 1
    assert await counter.message(a_message("four", "eight ch"), facts) == 4 + 1 + 2
    assert await counter.message(a_message({"type": "refusal", "refusal": "No."}), facts) == 4 + 1
    for detail, tokens in (("low", 85), ("high", 765), ("auto", 765), (None, 765)):
        of_an_address = {"type": "image_url", "image_url": {"url": "https://x.org/a.png", "detail": detail}}
        of_a_file = {"type": "image_file", "image_file": {"file_id": "file-1", "detail": detail}}
        assert await counter.message(a_message(of_an_address), facts) == 4 + tokens
        assert await counter.message(a_message(of_a_file), facts) == 4 + tokens


def function(name: str, parameters: Any, description: str | None = None) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


async def test_functions_are_counted_as_openais_cookbook_counts_them(o200k: BpeTokenizer) -> None:
    city = {"type": "string", "description": "The city and state, e.g. San Francisco, CA."}
    unit = {"type": "string", "description": "The unit of temperature", "enum": ["celsius", "fahrenheit"]}
    weather = function("get_weather", {"type": "object", "properties": {"city": city, "unit": unit}}, "The weather.")
    lines = ("get_weather:The weather", "city:string:The city and state, e.g. San Francisco, CA")
    others = ("unit:string:The unit of temperature", "celsius", "fahrenheit")
    texts = sum(map(o200k.count, (*lines, *others)))
    # Of the function, its properties, each property, the enum and its choices, and the end.
    assert await TokenCounter(o200k).functions([weather]) == texts + 7 + 3 + 2 * 3 + (-3 + 2 * 3) + 12
    assert await TokenCounter(o200k).functions([]) == 0


async def test_nested_and_senseless_schemas_are_counted() -> None:
    counter = TokenCounter(Counted())
    flat = await counter.functions([function("f", {"properties": {"a": {"type": "string"}}})])
    nested = {"properties": {"a": {"type": "array", "items": {"properties": {"b": {"type": ["string", "null"]}}}}}}
    assert await counter.functions([function("f", nested)]) > flat
    referred = {"properties": {"a": {"$ref": "#/$defs/t"}}, "$defs": {"t": {"anyOf": [{"properties": {"c": {}}}, 5]}}}
    assert await counter.functions([function("f", referred)]) > flat
    for senseless in (
        None,
        [],
        "x",
        5,
        {"properties": []},
        {"properties": {"a": 5}, "items": [1], "anyOf": 7, "$defs": 1},
    ):
        assert await counter.functions([function("f", senseless)]) > 0
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"properties": {"a": deep}}
    assert await counter.functions([function("f", deep)]) > 100


@pytest.mark.parametrize(
    ("model", "encoding", "window"),
    [
        ("gpt-4o", "o200k_base", 128_000),
        ("gpt-4o-mini-2024-07-18", "o200k_base", 128_000),
        ("gpt-4o-small", "o200k_base", 4_096),
        ("gpt-4", "cl100k_base", 8_192),
        ("gpt-4-0613", "cl100k_base", 8_192),
        ("gpt-4-turbo-2024-04-09", "cl100k_base", 128_000),
        ("gpt-3.5-turbo", "cl100k_base", 16_385),
        ("gpt-4.1-nano", "o200k_base", 1_047_576),
        ("gpt-5-mini", "o200k_base", 272_000),
        ("gpt-5.1", "o200k_base", 272_000),
        ("gpt-5.1-chat-latest", "o200k_base", 128_000),
        ("gpt-35-turbo", "cl100k_base", 16_385),
        ("o3-mini", "o200k_base", 200_000),
        ("ft:gpt-3.5-turbo:acme::1", "cl100k_base", 16_385),
        ("openai/gpt-4o", "o200k_base", 128_000),
        ("llama-3.1-8b", "o200k_base", 8_192),
        ("meta/llama-3.1-8b", "o200k_base", 8_192),
        ("something-else", "o200k_base", 32_000),
        ("demo", "cl100k_base", 8_192),
    ],
)
def test_what_is_known_of_models(table: ModelTable, model: str, encoding: str, window: int) -> None:
    facts = table.of(model)
    assert (facts.encoding, facts.window) == (encoding, window)
