"""Who writes: the name under which a process owns outbox rows, and how it tells its relay of new ones."""

from collections.abc import Callable, Sequence
from functools import partial

from run_engine.store.units import after_commit


class Writer:
    """The writing side of one process. The relay is poked after the commit, in the process that committed."""

    def __init__(self, owner: str, poke: Callable[[Sequence[int]], None]) -> None:
        self.owner = owner
        self._poke = poke

    def committed(self, outbox_ids: Sequence[int] | None) -> None:
        """Tells the relay which outbox rows a commit has added; in a unit of work, once that is committed."""
        if outbox_ids:
            after_commit(partial(self._poke, outbox_ids))
