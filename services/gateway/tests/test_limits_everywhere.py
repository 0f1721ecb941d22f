"""Every limit of the API in every operation that has it: what is just allowed is taken, what is just not is refused.

A limit is a fragment of a body that fits it and one that does not, with the refusal's message, param and code; a place
is where an operation takes such a fragment. The fragments that fit are stored and shown again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from gateway.bootstrap import use_cases
from gateway.entrypoints.http.openai.requests.messages import MOST_MESSAGES
from gateway.entrypoints.http.openai.surface import openai_surface

TEXT = "Expected a string with maximum length {}, but got a string with length {} instead."
LIST = "Expected an array with maximum length {}, but got an array with length {} instead."
PATTERN = "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
IDENTIFIER = "azAZ09_-" * 8
SAID = {"role": "user", "content": "x"}


@dataclass(frozen=True)
class Limit:
    name: str
    fits: Any
    breaks: Any
    message: str
    param: str
    code: str


def too_long(field: str, most: int, wrap: Callable[[str], Any] | None = None, path: str | None = None) -> Limit:
    """A text of at most so many characters."""
    wrap = wrap or (lambda text: {field: text})
    path = path or field
    message = f"Invalid '{{}}{path}': string too long. {TEXT.format(most, most + 1)}"
    return Limit(f"{path} too long", wrap("x" * most), wrap("x" * (most + 1)), message, path, "string_above_max_length")


def too_many(path: str, most: int, wrap: Callable[[list[Any]], Any], element: Any) -> Limit:
    """A list of at most so many elements."""
    message = f"Invalid '{{}}{path}': array too long. {LIST.format(most, most + 1)}"
    fits, breaks = wrap([element] * most), wrap([element] * (most + 1))
    return Limit(f"{path} too many", fits, breaks, message, path, "array_above_max_length")


def numbers(
    path: str, wrap: Callable[[Any], Any], *, low: float | None, high: float | None, step: float, kind: str
) -> Iterator[Limit]:
    """A number between bounds."""
    if low is not None:
        got = low - step
        told = f"Expected a value >= {low}, but got {got} instead."
        message = f"Invalid '{{}}{path}': {kind} below minimum value. {told}"
        yield Limit(f"{path} too low", wrap(low), wrap(got), message, path, f"{kind}_below_min_value")
    if high is not None:
        got = high + step
        message = (
            f"Invalid '{{}}{path}': {kind} above maximum value. Expected a value <= {high}, but got {got} instead."
        )
        yield Limit(f"{path} too high", wrap(high), wrap(got), message, path, f"{kind}_above_max_value")


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **fields}}


def search(**fields: Any) -> dict[str, Any]:
    return {"type": "file_search", "file_search": fields}


METADATA = [
    Limit(
        "pairs of metadata",
        {"metadata": {f"k{number}": "v" for number in range(16)}},
        {"metadata": {f"k{number}": "v" for number in range(17)}},
        "Invalid '{}metadata': too many properties. "
        "Expected an object with at most 16 properties, but got an object with 17 properties instead.",
        "metadata",
        "object_above_max_properties",
    ),
    Limit(
        "keys of metadata",
        {"metadata": {"k" * 64: "v"}},
        {"metadata": {"k" * 65: "v"}},
        f"Invalid property name in '{{}}metadata': 'kkk...kkk' is too long. {TEXT.format(64, 65)}",
        f"metadata.{'k' * 64}...",
        "property_name_above_max_length",
    ),
    too_long("metadata.a", 512, lambda text: {"metadata": {"a": text}}),
]
ASSISTANT = [too_long("name", 256), too_long("description", 512)]
INSTRUCTIONS = [too_long("instructions", 256_000)]
ADDITIONAL_INSTRUCTIONS = [too_long("additional_instructions", 256_000)]
MODEL = [too_long("model", 256)]
SAMPLING = [
    *numbers("temperature", lambda value: {"temperature": value}, low=0, high=2, step=0.5, kind="decimal"),
    *numbers("top_p", lambda value: {"top_p": value}, low=0, high=1, step=0.5, kind="decimal"),
]
TOKENS = [
    limit
    for field in ("max_prompt_tokens", "max_completion_tokens")
    for limit in numbers(field, lambda value, field=field: {field: value}, low=256, high=None, step=1, kind="integer")
] + [
    *numbers(
        "truncation_strategy.last_messages",
        lambda value: {"truncation_strategy": {"type": "last_messages", "last_messages": value}},
        low=1,
        high=None,
        step=1,
        kind="integer",
    ),
]
TOOLS = [
    too_long("tools[0].function.name", 64, lambda text: {"tools": [function(name=text)]}),
    Limit(
        "characters of a function's name",
        {"tools": [function(name=IDENTIFIER)]},
        {"tools": [function(name="a.b")]},
        f"Invalid '{{}}tools[0].function.name': string does not match pattern. {PATTERN}",
        "tools[0].function.name",
        "invalid_value",
    ),
    *numbers(
        "tools[0].file_search.max_num_results",
        lambda value: {"tools": [search(max_num_results=value)]},
        low=1,
        high=50,
        step=1,
        kind="integer",
    ),
    *numbers(
        "tools[0].file_search.ranking_options.score_threshold",
        lambda value: {"tools": [search(ranking_options={"score_threshold": value})]},
        low=0,
        high=1,
        step=0.5,
        kind="decimal",
    ),
]
TOOLS_OF_AN_ASSISTANT = [*TOOLS, too_many("tools", 128, lambda tools: {"tools": tools}, function())]
TOOLS_OF_A_RUN = [*TOOLS, too_many("tools", 20, lambda tools: {"tools": tools}, function())]
FORMAT = [
    too_long(
        "response_format.json_schema.name",
        64,
        lambda text: {"response_format": {"type": "json_schema", "json_schema": {"name": text}}},
    )
]
CHOICE = [
    too_long(
        "tool_choice.function.name",
        64,
        lambda text: {
            "tool_choice": {"type": "function", "function": {"name": text}},
            "tools": [function(name="x" * 64)],
        },
    )
]
RESOURCES = [
    too_many(
        "tool_resources.file_search.vector_store_ids",
        1,
        lambda ids: {"tool_resources": {"file_search": {"vector_store_ids": ids}}},
        "vs_1",
    ),
    too_many(
        "tool_resources.code_interpreter.file_ids",
        20,
        lambda ids: {"tool_resources": {"code_interpreter": {"file_ids": ids}}},
        "file-1",
    ),
]
CONTENT = [
    too_long("content", 256_000, lambda text: SAID | {"content": text}),
    too_long("content[0].text", 256_000, lambda text: SAID | {"content": [{"type": "text", "text": text}]}),
]
OUTPUT = [
    too_long(
        "tool_outputs[0].output", 524_288, lambda text: {"tool_outputs": [{"tool_call_id": "call_1", "output": text}]}
    )
]


def messages(field: str) -> list[Limit]:
    return [too_many(field, MOST_MESSAGES, lambda several: {field: several}, SAID)]


@dataclass(frozen=True)
class Place:
    """Where an operation takes fragments: `wrap` makes a body of one, `prefix` stands before its fields' names."""

    operation: str
    limits: list[Limit]
    prefix: str = ""
    wrap: Callable[[Any], Any] = lambda fragment: fragment


def in_messages(field: str) -> Callable[[Any], Any]:
    return lambda fragment: {field: [SAID | fragment]}


EVERY_RUN = [
    *METADATA, *INSTRUCTIONS, *MODEL, *SAMPLING, *TOKENS, *TOOLS_OF_A_RUN, *FORMAT, *CHOICE,
]  # fmt: skip
OF_AN_ASSISTANT = [
    *METADATA, *ASSISTANT, *INSTRUCTIONS, *MODEL, *SAMPLING, *TOOLS_OF_AN_ASSISTANT, *FORMAT, *RESOURCES,
]  # fmt: skip
PLACES = [
    Place("create assistant", OF_AN_ASSISTANT),
    Place("modify assistant", OF_AN_ASSISTANT),
    Place("create thread", [*METADATA, *RESOURCES, *messages("messages")]),
    Place("create thread", [*METADATA, *CONTENT], "messages[0].", in_messages("messages")),
    Place("modify thread", [*METADATA, *RESOURCES]),
    Place("create message", [*METADATA, *CONTENT]),
    Place("modify message", METADATA),
    Place("create run", [*EVERY_RUN, *ADDITIONAL_INSTRUCTIONS, *messages("additional_messages")]),
    Place("create run", [*METADATA, *CONTENT], "additional_messages[0].", in_messages("additional_messages")),
    Place("create thread and run", [*EVERY_RUN, *RESOURCES]),
    Place(
        "create thread and run",
        [*METADATA, *RESOURCES, *messages("messages")],
        "thread.",
        lambda fragment: {"thread": fragment},
    ),
    Place(
        "create thread and run",
        [*METADATA, *CONTENT],
        "thread.messages[0].",
        lambda fragment: {"thread": {"messages": [SAID | fragment]}},
    ),
    Place("modify run", METADATA),
    Place("submit tool outputs", OUTPUT),
]


async def prepared(caller: Any, operation: str) -> tuple[str, dict[str, Any]]:
    """The path of an operation on objects of its own, and what its body needs at the least."""
    match operation:
        case "create assistant":
            return "/assistants", {"model": "demo"}
        case "modify assistant":
            return f"/assistants/{await caller.assistant()}", {}
        case "create thread":
            return "/threads", {}
        case "modify thread":
            return f"/threads/{await caller.thread()}", {}
        case "create message":
            return f"/threads/{await caller.thread()}/messages", SAID
        case "modify message":
            thread_id = await caller.thread("hello")
            message = (await caller.get(f"/threads/{thread_id}/messages"))["data"][0]["id"]
            return f"/threads/{thread_id}/messages/{message}", {}
        case "create run":
            return f"/threads/{await caller.thread()}/runs", {"assistant_id": await caller.assistant()}
        case "create thread and run":
            return "/threads/runs", {"assistant_id": await caller.assistant()}
        case _:
            run = await caller.run()
            path = f"/threads/{run['thread_id']}/runs/{run['id']}"
            return path if operation == "modify run" else f"{path}/submit_tool_outputs", {}


CASES = [
    pytest.param(place, limit, id=f"{place.operation}: {place.prefix}{limit.name}")
    for place in PLACES
    for limit in place.limits
]


@pytest.mark.parametrize(("place", "limit"), CASES)
async def test_what_is_just_too_much_is_refused(caller: Any, place: Place, limit: Limit) -> None:
    path, least = await prepared(caller, place.operation)
    before = await caller.rows()
    error = await caller.refused("POST", path, json=least | place.wrap(limit.breaks))
    assert error == {
        "message": limit.message.format(place.prefix),
        "type": "invalid_request_error",
        "param": place.prefix + limit.param,
        "code": limit.code,
    }
    assert await caller.rows() == before


@pytest.mark.parametrize(
    ("place", "limit"), [case for case in CASES if case.values[0].operation != "submit tool outputs"]
)
async def test_what_is_just_allowed_is_taken(caller: Any, place: Place, limit: Limit) -> None:
    path, least = await prepared(caller, place.operation)
    await caller.post(path, least | place.wrap(limit.fits))


def test_every_operation_that_takes_a_body_is_walked(engine: Any, settings: Any, stored: Any, hub: Any) -> None:
    surface = openai_surface(use_cases(engine, settings, stored, hub), settings)
    served = {path for path, handlers in surface.paths if "POST" in handlers}
    walked = {place.operation for place in PLACES}
    # An upload has a form (`test_files_api`), a cancellation has nothing to say, files of assistants are of version 1.
    apart = {
        "/v1/files",
        "/v1/threads/{thread_id}/runs/{run_id}/cancel",
        "/v1/assistants/{assistant_id}/files",
    }
    assert len(served - apart) == len(walked)


def test_a_limit_is_told_from_its_neighbour() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
