"""A request as handlers see it, and the reply they give. Made and sent by `endpoint`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from starlette.types import Receive

from gateway.entrypoints.http.body import read_body

Headers: TypeAlias = Mapping[bytes, bytes]
"""Header values by lower-case name; of a repeated header, the last one."""


class Reply(NamedTuple):
    """A whole reply. `headers` are those besides content-type, content-length and x-request-id."""

    status: int
    body: bytes
    """JSON text."""
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Call:
    """One authenticated request."""

    tenant_id: str
    """Whose objects it is about."""
    values: Mapping[str, str]
    """The variable parts of the path by name, decoded."""
    query: bytes
    """The query string, still encoded."""
    headers: Headers
    receive: Receive
    largest_body: int

    async def body(self) -> bytes:
        """Read the body, once. Raises `BodyTooLarge`, and `ClientDisconnect` when the client went away."""
        return await read_body(self.headers, self.receive, self.largest_body)
