"""What the feed needs of the world: a log and a secret. `adapters.event_log` and the run engine's store fit these."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

Position: TypeAlias = tuple[str, int]
"""A topic and the number of one of its partitions."""

Place: TypeAlias = Mapping[Position, int]
"""Where reading goes on: the next offset of each partition."""


class PublicEvent(Protocol):
    """One record of a public topic. Everything but `structured` is known without decoding it."""

    @property
    def position(self) -> Position:
        """Where it lies."""
        ...

    @property
    def offset(self) -> int:
        """Its number there."""
        ...

    @property
    def tenant(self) -> str | None:
        """Whose it is; None for a record that nobody can read."""
        ...

    @property
    def type(self) -> str:
        """Its message type."""
        ...

    @property
    def thread_id(self) -> str:
        """The thread that it is about."""
        ...

    def structured(self) -> bytes | None:
        """Return the whole event as JSON in one line; None for one that is not as its contract says."""
        ...


class Batch(NamedTuple):
    """What a log has come to."""

    events: Sequence[PublicEvent]
    place: Place
    """Behind these events; has every partition there is."""
    lost: bool
    """Events before these are gone that were to be read."""

    @property
    def before(self) -> dict[Position, int]:
        """The place before these events."""
        place = dict(self.place)
        for event in reversed(self.events):
            place[event.position] = event.offset
        return place


class Log(Protocol):
    """Reads all public topics from a place on."""

    async def read(self) -> Batch:
        """Return what comes next, waiting for it, through outages too. The first may be empty: it tells the place."""
        ...

    async def stop(self) -> None:
        """Stop reading."""
        ...


OpenLog: TypeAlias = Callable[[Place | None], Awaitable[Log]]
"""Begins to read behind a place, or from the end where there is none. A partition that the place does not name is read
from its beginning."""


class FeedKeyStore(Protocol):
    """Where the secret is that places are sealed with."""

    async def feed_key(self) -> bytes:
        """Return it, 32 bytes, the same for all gateways. Raises `DatabaseUnavailable`."""
        ...
