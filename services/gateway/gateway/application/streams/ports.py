"""What streams need of the world. The stores of the run engine and the event bus fit these; tests bring their own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from run_engine.domain.drafts import Page, PageRequest
from run_engine.domain.objects import Message, Run, RunStep
from run_engine.store.streams import RunState, StoredEvent

Pieces: TypeAlias = Sequence[Mapping[str, Any]]
"""What one record of the slot holds: `pieces` of the contract run-delta.produced."""

Hear: TypeAlias = Callable[[Pieces], None]


class EventStore(Protocol):
    """The stored events of runs, and where their text is sent. Everything raises `DatabaseUnavailable`."""

    async def news(self, positions: Sequence[tuple[str, str, int]]) -> Sequence[StoredEvent]:
        """Read the events of many runs that follow (tenant id, run id, last seen seq), each run's in order."""
        ...

    async def states(self, runs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], RunState]:
        """Read where runs, (tenant id, run id), stand; those that are gone are not in it."""
        ...

    async def add_slots(self, slot: int, runs: Sequence[tuple[str, str]]) -> None:
        """Have the text of runs, (tenant id, run id), sent to a slot, too, or news alone (`domain.stream_slots`)."""
        ...


class SlotStore(Protocol):
    """The slots of all gateways. Everything raises `DatabaseUnavailable`."""

    async def take(self) -> int | None:
        """Lease a free one; None while there is none."""
        ...

    async def keep(self, slot: int) -> bool:
        """Whether it is still ours."""
        ...

    async def release(self, slot: int) -> None:
        """Give it back."""
        ...


class Tail(Protocol):
    """Reads a slot from its end on."""

    async def ready(self) -> None:
        """Return once everything that is sent from now on is heard. Waits while the bus is away."""
        ...

    async def stop(self) -> None:
        """Stop reading."""
        ...


OpenTail: TypeAlias = Callable[[int, Hear], Awaitable[Tail]]
"""Begins to read a slot; what is heard goes to the function."""


class StreamedRuns(Protocol):
    """The objects of runs whose events are not all stored. Everything raises `NotFound` and `DatabaseUnavailable`."""

    async def get(self, tenant_id: str, thread_id: str, run_id: str) -> Run:
        """Read a run."""
        ...

    async def list_steps(self, tenant_id: str, thread_id: str, run_id: str, request: PageRequest) -> Page[RunStep]:
        """Read one page of its steps."""
        ...


class StreamedMessages(Protocol):
    """The messages that runs have written."""

    async def get(self, tenant_id: str, thread_id: str, message_id: str) -> Message:
        """Read one. Raises `NotFound` and `DatabaseUnavailable`."""
        ...
