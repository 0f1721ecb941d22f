"""The W3C trace context of what is worked on: which trace it belongs to. Only text, without any tracing library.

It is passed on whether spans are made or not: who sends a `traceparent` finds it in the log and in the events.
"""

import re
from contextvars import ContextVar, Token
from typing import Final

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_CURRENT: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)


def current_traceparent() -> str | None:
    """Return the `traceparent` of what the running task works on; None where it belongs to no trace."""
    return _CURRENT.get()


def set_traceparent(traceparent: str | None) -> Token[str | None]:
    """Work on something that belongs to this trace, until `reset_traceparent`."""
    return _CURRENT.set(traceparent)


def reset_traceparent(token: Token[str | None]) -> None:
    """Work on what was worked on before."""
    _CURRENT.reset(token)


def readable(traceparent: str | None) -> str | None:
    """Return a `traceparent` if it is one of the version that is understood here; None for anything else."""
    return traceparent if traceparent is not None and _TRACEPARENT.fullmatch(traceparent) else None


def trace_id_of(traceparent: str) -> str:
    """Return the id of the trace, 32 hexadecimal digits."""
    return traceparent[3:35]
