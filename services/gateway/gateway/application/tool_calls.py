"""Calls a function of a tool service outside of any run, and returns what it answers. Used by dialects.

Functions only read (DESIGN: tools), so nothing of such a call is stored: whoever does not get an answer asks again.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from run_engine.store.tenants import Tenant

from gateway.application.credentials import Credentials

MOST_AT_ONCE: Final = 8
"""Calls of one gateway at once; further ones wait."""
MOST_SECONDS: Final = 30.0
"""The longest that a call may take, whatever its service announces."""


class ToolCallFailed(Exception):
    """The service has answered with a failure. The text is the service's, for whoever reads the answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NoToolService(Exception):
    """No service that this tenant may use answers the function, as far as is known."""


class ToolServicesAway(Exception):
    """The call could not be handed out, or nobody has answered it in time."""


@dataclass(frozen=True, slots=True)
class AnnouncedFunction:
    """A function, as a service announces it."""

    service: str
    name: str
    seconds: float
    """What the service asks for."""


class ToolBus(Protocol):
    """The way to the tool services."""

    async def announced(self, name: str) -> Sequence[AnnouncedFunction]:
        """Return who answers a function of that name. Waits until it is known, which an outage may make long."""
        ...

    async def ask(
        self,
        tenant_id: str,
        function: AnnouncedFunction,
        arguments: str,
        seconds: float,
        credentials: Callable[[str], str] | None = None,
    ) -> str:
        """Call it with JSON text and return its output. Raises `ToolCallFailed` and `ToolServicesAway`.

        `credentials` seals the user's own credential for the thread that the call names.
        """
        ...


class TenantStore(Protocol):
    """Knows the tenants."""

    async def get(self, tenant_id: str) -> Tenant | None:
        """The tenant, if there is one."""
        ...


class ToolCalls:
    """Calls functions of the `pinned` services, for tenants that may use them.

    The credential for the service that came with the request, if any, goes along.
    """

    def __init__(
        self, bus: ToolBus, tenants: TenantStore, pinned: Collection[str], credentials: Credentials | None = None
    ) -> None:
        self._bus = bus
        self._tenants = tenants
        self._pinned = frozenset(pinned)
        self._credentials = credentials
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def call(self, tenant_id: str, name: str, arguments: str) -> str:
        """Return the output of a function. `arguments` are JSON text.

        Raises `ToolCallFailed`, `NoToolService`, `ToolServicesAway`, `DatabaseUnavailable`, and what credentials raise
        that came along (`Credentials.for_call`).
        """
        tenant = await self._tenants.get(tenant_id)
        allowed = self._pinned & tenant.tool_services if tenant is not None else frozenset()
        try:
            async with asyncio.timeout(MOST_SECONDS), self._places:
                # A function that two services announce is nobody's, as it is for runs.
                pinned = [each for each in await self._bus.announced(name) if each.service in self._pinned]
                if len(pinned) != 1 or pinned[0].service not in allowed:
                    raise NoToolService
                (function,) = pinned
                seconds = min(function.seconds, MOST_SECONDS)
                credentials = None
                if self._credentials is not None:
                    credentials = await self._credentials.for_call(tenant_id, function.service)
                return await self._bus.ask(tenant_id, function, arguments, seconds, credentials)
        except TimeoutError:
            raise ToolServicesAway from None
