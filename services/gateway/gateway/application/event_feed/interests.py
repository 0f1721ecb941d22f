"""What a subscriber wants to hear: the types that filters name, and whose events they are."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gateway.application.event_feed.ports import PublicEvent


class UnknownType(Exception):
    """A filter that names no public event."""

    def __init__(self, name: str) -> None:
        super().__init__("no public event has this type")
        self.name = name


@dataclass(frozen=True, slots=True)
class Interest:
    """One tenant's events, or some of them."""

    tenant_id: str
    types: frozenset[str] | None = None
    """Message types; None: all."""
    thread_id: str | None = None

    def takes(self, event: PublicEvent) -> bool:
        """Whether an event is asked for. It is never another tenant's."""
        return (
            event.tenant == self.tenant_id
            and (self.types is None or event.type in self.types)
            and (self.thread_id is None or event.thread_id == self.thread_id)
        )


def named(filters: Iterable[str], public: Collection[str]) -> frozenset[str] | None:
    """Return the types among `public` that filters name; None where there are no filters.

    A filter is a type (`threadworks.run.completed.v1`), its name (`run.completed`, every major of it), or `run.*` for
    all events of an entity. Raises `UnknownType`.
    """
    found: set[str] = set()
    given = False
    for text in filters:
        given = True
        name = text.removeprefix("threadworks.")
        matching = {type_ for type_ in public if type_ == text or _named(type_, name)}
        if not matching:
            raise UnknownType(text)
        found |= matching
    return frozenset(found) if given else None


def _named(type_: str, name: str) -> bool:
    _, entity, rest = type_.split(".", 2)
    what, _, _ = rest.rpartition(".")
    return name in (f"{entity}.*", f"{entity}.{what}")
