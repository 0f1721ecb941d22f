"""Who writes: the name under which a process owns outbox rows, and how it tells of what it has committed."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from run_engine.domain.objects import Run
from run_engine.store.units import after_commit

WOKEN_WITHIN: Final = 0.02
"""Seconds in which the events go out with which a run is queued that was woken without them."""
BEGUN_WITHIN: Final = 0.05
"""Seconds in which the events go out with which a worker begins: the claim, and a step. Longer than the events before
them need, for what two processes publish at the same time is published twice."""


class Writer:
    """The writing side of one process. The relay is poked after the commit, in the process that committed.

    `poke_within` is told of what may rest for so many seconds; without it, `poke` is told of everything.
    """

    def __init__(
        self,
        owner: str,
        poke: Callable[[Sequence[int]], None],
        wake: Callable[[Run], None] | None = None,
        poke_within: Callable[[Sequence[int], float], None] | None = None,
    ) -> None:
        self.owner = owner
        self._poke = poke
        self._wake = wake
        self._poke_within = poke_within

    def committed(self, outbox_ids: Sequence[int] | None, *, within: float = 0.0) -> None:
        """Tells the relay which outbox rows a commit has added; in a unit of work, once that is committed.

        `within` are the seconds that nobody waits for them.
        """
        if not outbox_ids:
            return
        if within and self._poke_within is not None:
            after_commit(partial(self._poke_within, outbox_ids, within))
        else:
            after_commit(partial(self._poke, outbox_ids))

    def queued(self, run: Run, outbox_ids: Sequence[int] | None) -> None:
        """Tells of a commit that has queued a run: its events wake an orchestrator.

        If somebody streams the run, one is woken ahead of them, because they take longer.
        """
        if self._wake is None or not run.stream_slots:
            self.committed(outbox_ids)
            return
        after_commit(partial(self._wake, run))
        self.committed(outbox_ids, within=WOKEN_WITHIN)
