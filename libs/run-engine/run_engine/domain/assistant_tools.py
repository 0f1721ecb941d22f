"""Which functions an assistant has once a tool is given to it or taken from it. Pure; used by `store.tools`.

An assistant has copies: its tools are objects of OpenAI's API, and a run snapshots them. So a tool that is changed or
deleted later leaves the assistants as they are until it is given to them again.
"""

from collections.abc import Sequence
from typing import Final

from run_engine.domain.objects import Json
from run_engine.errors import TooManyTools

MOST_TOOLS: Final = 128
"""Tools that an assistant may have: OpenAI's limit."""


def named(function: Json, name: str) -> Json:
    """The definition of a function, which gets `name` if it has none of its own."""
    return function if function.get("name") else {**function, "name": name}


def with_function(tools: Sequence[Json], function: Json) -> list[Json]:
    """`tools` with a function, in the place of the one of the same name if there is one. Raises `TooManyTools`."""
    given = {"type": "function", "function": function}
    places = [place for place, tool in enumerate(tools) if _name(tool) == function["name"]]
    if places:
        return [*tools[: places[0]], given, *without_function(tools[places[0] + 1 :], function["name"])]
    if len(tools) >= MOST_TOOLS:
        raise TooManyTools(MOST_TOOLS)
    return [*tools, given]


def without_function(tools: Sequence[Json], name: str) -> list[Json]:
    """`tools` without the function of this name."""
    return [tool for tool in tools if _name(tool) != name]


def _name(tool: Json) -> str | None:
    return tool["function"]["name"] if tool.get("type") == "function" else None
