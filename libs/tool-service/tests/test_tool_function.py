"""A Python function as a tool: its schema for the model, and how the model's arguments become its own."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Literal

import orjson
import pytest
from pydantic import BaseModel, Field
from tool_service import ToolContext, ToolError, ToolService
from tool_service.function import ToolFunction

CONTEXT = ToolContext(tenant="t", run_id="r", thread_id="th", call_id="c", deadline=datetime(2026, 1, 1, tzinfo=UTC))


def tool(function: Callable[..., Awaitable[object]]) -> ToolFunction:
    service = ToolService(name="library")
    service.function(timeout=5)(function)
    return service.functions[function.__name__]


async def find(
    title: Annotated[str, Field(description="Title of the book.")],
    limit: int = 3,
    kind: Literal["book", "journal"] | None = None,
) -> str:
    """Finds books
    by title.

    For developers: not part of the description.
    """
    return f"{title!r} {limit!r} {kind!r}"


def test_the_schema_is_what_a_model_needs_and_no_more() -> None:
    function = tool(find)
    assert function.name == "find"
    assert function.description == "Finds books by title."
    assert function.parameters == {
        "type": "object",
        "required": ["title"],
        "properties": {
            "title": {"type": "string", "description": "Title of the book."},
            "limit": {"type": "integer", "default": 3},
            "kind": {"anyOf": [{"type": "string", "enum": ["book", "journal"]}, {"type": "null"}], "default": None},
        },
    }


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ('{"title": "Java"}', "'Java' 3 None"),
        ('{"title": 51589}', "'51589' 3 None"),
        ('{"title": 51589.0}', "'51589' 3 None"),
        ('{"title": "Java", "limit": "7"}', "'Java' 7 None"),
        ('{"title": "Java", "limit": 7.0}', "'Java' 7 None"),
        ('{"title": "Java", "limit": null, "kind": null}', "'Java' 3 None"),
        ('{"title": "Java", "kind": "journal", "invented": true}', "'Java' 3 'journal'"),
    ],
)
async def test_arguments_are_taken_as_they_are_meant(arguments: str, result: str) -> None:
    assert await tool(find).call(arguments, CONTEXT) == result


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("{}", "title: Field required"),
        ("", "title: Field required"),
        ('{"title": null}', "title: Input should be a valid string"),
        ('{"title": true}', "title: Input should be a valid string"),
        ('{"title": "x", "limit": "many"}', "limit: Input should be a valid integer"),
        ('{"title": "x", "kind": "film"}', "kind: Input should be 'book' or 'journal'"),
        ('{"title": ', "they are not valid JSON"),
        ('["Java"]', "they must be one JSON object"),
        ('"Java"', "they must be one JSON object"),
    ],
)
async def test_arguments_that_do_not_fit_are_explained(arguments: str, told: str) -> None:
    with pytest.raises(ToolError) as caught:
        await tool(find).call(arguments, CONTEXT)
    assert caught.value.code == "invalid_arguments"
    assert caught.value.message.startswith("The arguments do not fit find: ")
    assert told in caught.value.message


async def test_a_function_gets_its_context_and_the_model_does_not_see_it() -> None:
    async def whoami(context: ToolContext) -> str:
        """Says which run is answered."""
        return context.run_id

    assert tool(whoami).parameters == {"type": "object", "properties": {}}
    assert await tool(whoami).call("", CONTEXT) == "r"


async def test_parameters_may_have_names_that_pydantic_uses() -> None:
    async def copy(schema: str, model_config: int = 1) -> str:
        """Copies."""
        return f"{schema} {model_config}"

    assert set(tool(copy).parameters["properties"]) == {"schema", "model_config"}
    assert await tool(copy).call('{"schema": "a", "model_config": 2}', CONTEXT) == "a 2"


class Shelf(BaseModel):
    row: int


@pytest.mark.parametrize(
    ("result", "output"),
    [("Grüße", "Grüße"), ({"a": [1, None]}, '{"a":[1,null]}'), (None, "null"), (Shelf(row=2), '{"row":2}'), ("", "")],
)
async def test_results_become_text(result: object, output: str) -> None:
    async def look() -> object:
        """Looks."""
        return result

    assert await tool(look).call("{}", CONTEXT) == output


async def test_structured_arguments_are_objects_of_the_function_s_own_types() -> None:
    async def put(shelf: Shelf, tags: list[str]) -> str:
        """Puts a book onto a shelf."""
        return f"{shelf.row} {tags}"

    assert await tool(put).call('{"shelf": {"row": "4"}, "tags": ["a", 5]}', CONTEXT) == "4 ['a', '5']"
    assert orjson.dumps(tool(put).parameters)


def not_async() -> str:
    """Says hello."""
    return "hello"


async def without_docstring() -> str:
    return ""


async def untyped(title) -> str:  # type: ignore[no-untyped-def]  # what is tested
    """Finds."""
    return str(title)


async def with_rest(*titles: str) -> str:
    """Finds."""
    return str(titles)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (not_async, "must be an async function"),
        (without_docstring, "needs a docstring"),
        (untyped, "the parameter title needs a type"),
        (with_rest, "the parameter titles must be one that can be given by name"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_when_it_is_declared(function: Callable[..., object], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        ToolService(name="library").function(timeout=5)(function)  # type: ignore[type-var]  # what is tested


def test_names_and_time_outs_are_checked() -> None:
    service = ToolService(name="library")
    service.function(timeout=5)(find)
    with pytest.raises(ValueError, match="two functions called find"):
        service.function(timeout=5)(find)
    with pytest.raises(TypeError, match="time-out above 0"):
        service.function(timeout=0, name="other")(find)
    with pytest.raises(TypeError, match="no function name for a model"):
        service.function(timeout=5, name="find books")(find)
    with pytest.raises(ValueError, match="not the name of a tool service"):
        ToolService(name="My Library")
