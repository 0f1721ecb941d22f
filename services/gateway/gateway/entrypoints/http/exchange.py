"""A request as handlers see it, and the reply they give. Made and sent by `endpoint`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from starlette.types import Receive

from gateway.entrypoints.http.body import read_body

Headers: TypeAlias = Mapping[bytes, bytes]
"""Header values by lower-case name; of a repeated header, the last one."""


class Reply(NamedTuple):
    """A whole reply. `headers` are those besides content-type, content-length and x-request-id."""

    status: int
    body: bytes
    """JSON text; nothing in a reply of status 204."""
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Where the stream of a run begins, for a repetition of its request to join it there."""

    thread_id: str
    run_id: str
    after: str
    """The id of the event before the first one, as in Last-Event-ID."""


class StreamReply(NamedTuple):
    """A reply that is written while it comes. `headers` are those besides content-type and x-request-id."""

    events: AsyncGenerator[bytes, None]
    """Whole events as they are sent. Closed when the client goes; begun only after the commit of what it streams."""
    start: StreamStart
    headers: tuple[tuple[bytes, bytes], ...] = ()
    media_type: bytes = b"text/event-stream; charset=utf-8"


Once: TypeAlias = Callable[[bytes, Callable[[], Awaitable[Reply]]], Awaitable[Reply]]
"""Has an effect once for each idempotency key, and gives its reply each time. Takes a digest of all that the effect
depends on, and the effect, which must not do anything that a rollback of its commit would not undo."""


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
    once: Once | None = None
    """For handlers that are `KeysItself`, when the request has a key. For all others that is done already."""
    _read: bytes | None = field(default=None, init=False)

    async def body(self) -> bytes:
        """Return the body. Raises `BodyTooLarge`, and `ClientDisconnect` when the client went away."""
        if self._read is None:
            self._read = await read_body(self.headers, self.receive, self.largest_body)
        return self._read

    def bringing(self, body: bytes, headers: Headers) -> "Call":
        """Return the same request with another body and other headers."""
        other = replace(self, headers=headers)
        other._read = body
        return other
