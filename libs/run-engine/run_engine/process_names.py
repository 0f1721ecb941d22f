"""Names of processes on the engine, under which they own runs and outbox rows; and what their events say of them."""

from typing import Final
from uuid import UUID

_SOURCES: Final = "/threadworks/"


def process_name(role: str, number: UUID) -> str:
    """The name of a process, new at every start: a restarted process is another one."""
    return f"{role}-{number.hex}"


def event_source(name: str) -> str:
    """The CloudEvents source of what a process has committed: its role, as `/threadworks/gateway`."""
    return _SOURCES + name.rpartition("-")[0]
