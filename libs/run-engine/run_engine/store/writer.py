"""Who writes: the name under which a process owns outbox rows, and how it tells of what it has committed."""

from collections.abc import Callable, Sequence
from functools import partial

from run_engine.domain.objects import Run
from run_engine.store.units import after_commit


class Writer:
    """The writing side of one process. The relay is poked after the commit, in the process that committed."""

    def __init__(
        self, owner: str, poke: Callable[[Sequence[int]], None], wake: Callable[[Run], None] | None = None
    ) -> None:
        self.owner = owner
        self._poke = poke
        self._wake = wake

    def committed(self, outbox_ids: Sequence[int] | None) -> None:
        """Tells the relay which outbox rows a commit has added; in a unit of work, once that is committed."""
        if outbox_ids:
            after_commit(partial(self._poke, outbox_ids))

    def queued(self, run: Run) -> None:
        """Wakes an orchestrator for a run that a commit has queued, if somebody streams it: its events take longer."""
        if self._wake is not None and run.stream_slots:
            after_commit(partial(self._wake, run))
