"""Consumer groups in memory: members share partitions, join, leave and die, and the group keeps the offsets.

Used by `in_process` for `subscribe`. What happens with a record is the dispatcher's business, as with Kafka.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from event_bus.dispatcher import Dispatcher
from event_bus.in_process_log import Topics
from event_bus.incoming import Partition
from event_bus.interface import Subscription
from event_bus.member import Member
from event_bus.task_ending import end_tasks

_BATCH = 200
_REVOKE_SECONDS = 3.0


class Group:
    """The members of one group and what they have acknowledged."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._read: set[str] = set()
        self._members: list[InProcessSubscription] = []
        self._rebalancing = asyncio.Lock()
        self._committed: dict[Partition, int] = {}
        topics.reservations.append(self)

    def needed_from(self, partition: Partition) -> int | None:
        """See `Reservation`."""
        return self._committed.get(partition, 0) if partition.topic in self._read else None

    def committed(self, partition: Partition) -> int:
        """Where reading starts."""
        committed = self._committed.get(partition)
        return self._topics.log(partition).origin if committed is None else committed

    def commit(self, offsets: dict[Partition, int]) -> None:
        """Acknowledge everything before these offsets."""
        self._committed.update(offsets)

    async def join(self, member: "InProcessSubscription") -> None:
        """Give the new member its share."""
        self._read |= member.topics
        await self._rebalance(lambda: self._members.append(member))

    async def leave(self, member: "InProcessSubscription") -> None:
        """Give the share of a member that stopped to the others."""
        if member in self._members:
            await self._rebalance(lambda: self._members.remove(member))

    async def _rebalance(self, change: Callable[[], None]) -> None:
        async with self._rebalancing:
            change()
            await asyncio.gather(*(member.revoked() for member in self._members))
            shares: dict[InProcessSubscription, list[Partition]] = {member: [] for member in self._members}
            for topic in sorted(self._read):
                for partition in sorted(self._topics.partitions(topic)):
                    if takers := [member for member in self._members if topic in member.topics]:
                        min(map(shares.__getitem__, takers), key=len).append(partition)
            for member, partitions in shares.items():
                member.assigned(partitions)


class InProcessSubscription(Member):
    """One member of a group."""

    def __init__(
        self,
        topics: Topics,
        group: Group,
        *,
        names: Sequence[str],
        make_dispatcher: Callable[..., Dispatcher],
        on_stop: Callable[["Subscription"], None],
    ) -> None:
        self.topics = frozenset(names)
        self._log = topics
        self._group = group
        self._on_stop = on_stop
        super().__init__(make_dispatcher(on_progress=self._note_progress, on_room=lambda _: self.wake()))
        self._positions: dict[Partition, int] = {}
        self._wake = asyncio.Event()
        self._commit_is_due = False
        self._task = asyncio.get_running_loop().create_task(self._read())
        topics.readers.append(self)

    async def crash(self) -> None:
        """Go as if the process had died, with nothing committed on the way. For tests."""
        self._positions.clear()
        await end_tasks([self._task])
        self._log.readers.remove(self)
        self._commit_is_due = True
        await self._dispatcher.stop(0)
        await self._group.leave(self)
        self._on_stop(self)

    def wake(self) -> None:
        """See `Reader`."""
        self._wake.set()

    def lag(self) -> dict[str, int]:
        """See `Member.lag`."""
        behind: dict[str, int] = {}
        for partition in self.assignment:
            ended = self._dispatcher.lanes[partition].offsets.ended_before
            start = self._group.committed(partition) if ended is None else ended
            behind[partition.topic] = behind.get(partition.topic, 0) + self._log.log(partition).end_offset - start
        return behind

    async def revoked(self) -> None:
        """A rebalance begins: let running handlers end, and commit."""
        self._dispatcher.suspend()
        await self._dispatcher.settled(_REVOKE_SECONDS)
        self._commit()

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """A rebalance ended: read on from what the group has acknowledged."""
        if self._stopping is not None:
            return
        self._positions = {partition: self._group.committed(partition) for partition in partitions}
        self._dispatcher.assign(self._positions)
        self.wake()

    async def _stop(self) -> None:
        await end_tasks([self._task])
        if self in self._log.readers:
            self._log.readers.remove(self)
        await self._dispatcher.stop()
        self._commit()
        await self._group.leave(self)
        self._on_stop(self)

    async def _read(self) -> None:
        while True:
            self._wake.clear()
            found = False
            for partition, position in list(self._positions.items()):
                if partition in self._dispatcher.full:
                    continue
                if records := self._log.log(partition).read(position, most=_BATCH):
                    found = True
                    self._positions[partition] = records[-1].offset + 1
                    self._dispatcher.feed(partition, records)
            if found:
                await asyncio.sleep(0)
            else:
                await self._wake.wait()

    def _note_progress(self) -> None:
        if not self._commit_is_due:
            self._commit_is_due = True
            asyncio.get_running_loop().call_soon(self._commit_due)

    def _commit_due(self) -> None:
        self._commit_is_due = False
        self._commit()

    def _commit(self) -> None:
        offsets = self._dispatcher.committable()
        self._group.commit(offsets)
        self._dispatcher.committed(offsets)
