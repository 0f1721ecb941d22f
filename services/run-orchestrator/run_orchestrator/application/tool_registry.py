"""Which functions are answered by which tool service, as the services announce it.

Fed by the entry point that follows the announcements; asked by `drive` when the model calls functions, and by claiming,
which waits until every pinned service has announced: a late announcement would turn server tools into client tools.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A function that a service answers, and the seconds that it asks for."""

    service: str
    timeout: float


class ToolRegistry:
    """The announced functions of the pinned services; what others announce is ignored."""

    def __init__(self, pinned: Collection[str]) -> None:
        self._pinned = frozenset(pinned)
        self._announced: dict[str, Mapping[str, float]] = {}
        self._tools: dict[str, ServerTool] = {}
        self._conflicts: dict[str, list[str]] = {}
        self._ignored: set[str] = set()
        self._complete = asyncio.Event()
        self._note_completeness()

    def announce(self, service: str, functions: Mapping[str, float]) -> None:
        """Takes what a service answers now, by name with the time-out in seconds; it replaces what it said before.

        A function that two services announce is refused to both, in whatever order they come: nobody could tell which
        of them is meant.
        """
        if service not in self._pinned:
            self._ignore(service)
            return
        if self._announced.get(service) == functions:
            return
        self._announced[service] = dict(functions)
        log.info(
            "a tool service announced its functions",
            action="tool_service_announced",
            tool_service=service,
            functions=sorted(functions),
        )
        self._rebuild()
        self._note_completeness()

    def find(self, function: str, allowed: Collection[str]) -> ServerTool | None:
        """The tool behind a function, if one of the `allowed` services answers it."""
        tool = self._tools.get(function)
        return tool if tool is not None and tool.service in allowed else None

    def missing(self) -> list[str]:
        """The pinned services that have not announced yet."""
        return sorted(self._pinned - self._announced.keys())

    def conflicts(self) -> Mapping[str, list[str]]:
        """Functions that are refused, with the services that announce them."""
        return self._conflicts

    async def complete(self) -> None:
        """Returns as soon as every pinned service has announced."""
        await self._complete.wait()

    def _ignore(self, service: str) -> None:
        if service not in self._ignored:
            self._ignored.add(service)
            log.warning(
                "a tool service announces itself that no setting pins",
                action="announcement_ignored",
                tool_service=service,
            )

    def _rebuild(self) -> None:
        by_function: dict[str, list[ServerTool]] = {}
        for service in sorted(self._announced):
            for function, timeout in self._announced[service].items():
                by_function.setdefault(function, []).append(ServerTool(service, timeout))
        self._tools = {function: tools[0] for function, tools in by_function.items() if len(tools) == 1}
        self._conflicts = {
            function: [tool.service for tool in tools] for function, tools in by_function.items() if len(tools) > 1
        }
        for function, services in self._conflicts.items():
            log.error(
                "two tool services announce the same function, so neither may answer it",
                action="function_refused",
                function=function,
                tool_services=services,
            )

    def _note_completeness(self) -> None:
        if not self.missing():
            self._complete.set()
