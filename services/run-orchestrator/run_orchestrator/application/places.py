"""How many runs this process drives at once, and whether there is room for one more.

`claiming` takes a place before it claims; the entry point of the commands is told when all are taken, and pauses.
"""

from collections.abc import Callable


class Places:
    """A number of places, closed until `open` is called and after `close`."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._free = number
        self._open = False
        self._full = True
        self._watchers: list[Callable[[bool], None]] = []

    @property
    def number(self) -> int:
        """Places that there are, taken or free; 0 while none can be taken."""
        return self._number if self._open else 0

    @property
    def free(self) -> int:
        """Places that can be taken now."""
        return self._free if self._open else 0

    def watch(self, watcher: Callable[[bool], None]) -> None:
        """Calls `watcher` now and whenever it changes: True when no place is free, False when there is one again."""
        self._watchers.append(watcher)
        watcher(self._full)

    def open(self) -> None:
        """Lets places be taken."""
        self._open = True
        self._tell()

    def close(self) -> None:
        """Lets no more be taken; those that are taken stay so until they are given back."""
        self._open = False
        self._tell()

    def take(self) -> bool:
        """Takes a place if one is free."""
        if self.free == 0:
            return False
        self._free -= 1
        self._tell()
        return True

    def give_back(self) -> None:
        """Gives a place back."""
        self._free += 1
        self._tell()

    def _tell(self) -> None:
        full = self.free == 0
        if full is not self._full:
            self._full = full
            for watcher in self._watchers:
                watcher(full)
