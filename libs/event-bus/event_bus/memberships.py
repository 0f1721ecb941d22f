"""The subscriptions of one bus taken together: what they have consumed, how far they are behind, whether they live.

Kept by both implementations of the bus; read by whoever shows the metrics and the health of the process.
"""

from collections import Counter

from event_bus.member import Member


class Memberships:
    """Those that run, and the counts of those that have stopped."""

    def __init__(self) -> None:
        self._running: list[Member] = []
        self._before: Counter[tuple[str, str, str]] = Counter()

    def joined(self, member: Member) -> None:
        """A subscription begins."""
        self._running.append(member)

    def left(self, member: Member) -> None:
        """A subscription has stopped. Again changes nothing."""
        if member in self._running:
            self._running.remove(member)
            self._before.update(_consumed(member))

    def consumed(self) -> dict[tuple[str, str, str], int]:
        """See `EventBus.consumed`."""
        counts = self._before.copy()
        for member in self._running:
            counts.update(_consumed(member))
        return dict(counts)

    def lag(self) -> dict[tuple[str, str], int]:
        """See `EventBus.lag`."""
        behind: Counter[tuple[str, str]] = Counter()
        for member in self._running:
            for topic, records in member.lag().items():
                behind[member.group, topic] += records
        return dict(behind)

    def check_alive(self) -> str | None:
        """See `EventBus.check_alive`."""
        for member in self._running:
            if member.failed.done():
                return f"the subscription of {member.group} has ended for good"
        return None


def _consumed(member: Member) -> Counter[tuple[str, str, str]]:
    return Counter({(member.group, topic, ending.value): count for (topic, ending), count in member.counts.items()})
