"""`ToolService`: the functions of one service, declared with a decorator. The first thing a third party meets."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from message_contracts import catalogue

from tool_service.function import ToolFunction

_Function = TypeVar("_Function", bound=Callable[..., Awaitable[object]])


class ToolService:
    """A named set of tool functions.

    `name` is part of the topic of its calls (`threadworks.tool-calls.<name>.v1`): 1 to 63 lower-case letters, digits
    and inner dashes; ValueError otherwise. An operator has to pin the name before any run sees the functions.
    """

    def __init__(self, name: str) -> None:
        self.calls_topic = catalogue.tool_calls_topic(name).name
        self.name = name
        self._functions: dict[str, ToolFunction] = {}

    @property
    def functions(self) -> Mapping[str, ToolFunction]:
        """The declared functions by name."""
        return self._functions

    def function(
        self, *, timeout: float, name: str | None = None, description: str | None = None
    ) -> Callable[[_Function], _Function]:
        """Declare an async function as a tool.

        `timeout` is how long a run waits for the answer, in seconds. `name` and `description` are the function's own
        name and the first paragraph of its docstring unless given. Raises TypeError for a function that cannot be a
        tool, ValueError for a second one of the same name.
        """

        def declare(function: _Function) -> _Function:
            tool = ToolFunction(function, timeout=timeout, name=name, description=description)
            if tool.name in self._functions:
                raise ValueError(f"the service {self.name} has two functions called {tool.name}")
            self._functions[tool.name] = tool
            return function

        return declare
