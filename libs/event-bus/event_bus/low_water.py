"""Which offset of a partition may be committed when its records end in any order.

Used by `lane`. Only the contiguous low-water mark is ever committed: a crash repeats records, it never loses one.
"""

from collections import deque


class LowWaterMark:
    """Offsets that were accepted, in order, and the first of them that has not ended.

    Offsets may have gaps: compaction and control records take numbers.
    """

    def __init__(self) -> None:
        self._open: deque[int] = deque()
        self._ended: set[int] = set()
        self._origin: int | None = None
        self._mark: int | None = None
        self._next: int | None = None
        self._committed: int | None = None

    @property
    def committable(self) -> int | None:
        """The offset to commit: every accepted record before it has ended. None when there is nothing new."""
        return self._mark if self._mark != self._committed else None

    @property
    def ended_before(self) -> int | None:
        """The offset before which every accepted record has ended. None while nothing was accepted."""
        return self._origin if self._mark is None else self._mark

    @property
    def restart(self) -> int | None:
        """Where a reader that starts again from the committed offset begins, at the earliest. None when unknown."""
        return self._origin if self._committed is None else self._committed

    @property
    def next(self) -> int | None:
        """One after the last accepted offset. None while nothing was accepted."""
        return self._next

    def accept(self, offset: int) -> None:
        """A record was taken over for handling. Offsets come in growing order."""
        if self._origin is None:
            self._origin = offset
        self._open.append(offset)
        self._next = offset + 1

    def end(self, offset: int) -> None:
        """An accepted record was handled, skipped or written as a dead letter."""
        self._ended.add(offset)
        while self._open and self._open[0] in self._ended:
            ended = self._open.popleft()
            self._ended.remove(ended)
            self._mark = ended + 1

    def committed(self, offset: int) -> None:
        """The group has this offset now."""
        self._committed = offset
