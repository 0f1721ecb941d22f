"""`ToolService`: the functions of one service, declared with a decorator. The first thing a third party meets."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from message_contracts import catalogue

from tool_service.function import ToolFunction
from tool_service.runner import ToolServiceRunner
from tool_service.settings import ProcessSettings, load_settings

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

    def run(self, *, lifespan: AbstractAsyncContextManager[object] | None = None) -> None:
        """Serve until SIGTERM or SIGINT as a process of its own, then exit with code 0.

        Settings come from the environment (see `ProcessSettings`); a missing one ends with one line and exit code 2.
        `lifespan` is entered before the first call and left after the last one: connections, clients.
        """
        from tool_service.process import run_process  # noqa: PLC0415 - Kafka's client only where it is used

        (settings,) = load_settings(self.name, ProcessSettings)
        concurrency = settings.tool_concurrency
        exit_code = run_process(
            self.name,
            settings,
            lambda bus: ToolServiceRunner(
                self.name,
                self._functions,
                bus,
                concurrency=concurrency,
                lifespan=lifespan,
            ),
        )
        raise SystemExit(exit_code)
