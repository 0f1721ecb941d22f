"""The unit of work that a task is in: several calls of the stores as one commit. Begun by `Database.unit_of_work`.

A store does not know whether it works in a unit. What it asks of its `Database` goes to the unit's session, and what it
wants done after its commit (`Writer.committed`) waits for the unit's. A unit belongs to the task that has begun it:
tasks that are started inside inherit the context, and are kept out all the same, because a connection answers one task
at a time and because they may outlive the unit.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from run_engine.store.database import Session


class UnitOfWork:
    """One transaction for all that one task asks of `database`."""

    def __init__(self, database: object, session: "Session") -> None:
        self.database = database
        self.task = asyncio.current_task()
        self._session = session
        self._actions: list[Callable[[], None]] = []

    @contextmanager
    def entered(self) -> Iterator[None]:
        """While the block runs, this is the running task's unit."""
        token = _INHERITED.set(self)
        try:
            yield
        finally:
            _INHERITED.reset(token)

    @asynccontextmanager
    async def part(self) -> AsyncIterator["Session"]:
        """What would be a transaction of its own elsewhere. Undone alone when it raises: the unit can go on."""
        before = len(self._actions)
        try:
            async with self._session.atomic():
                yield self._session
        except BaseException:
            del self._actions[before:]
            raise

    def after_commit(self, action: Callable[[], None]) -> None:
        """Remembers what to do after the commit. A rollback forgets it."""
        self._actions.append(action)

    def committed(self) -> None:
        """Does what was remembered, in order."""
        for action in self._actions:
            action()


_INHERITED: Final[ContextVar[UnitOfWork | None]] = ContextVar("unit_of_work", default=None)


def current_unit(database: object | None = None) -> UnitOfWork | None:
    """The unit of work that the running task is in: on `database`, or on any."""
    unit = _INHERITED.get()
    if unit is None or unit.task is not asyncio.current_task():
        return None
    return unit if database is None or database is unit.database else None


def after_commit(action: Callable[[], None]) -> None:
    """Does `action` after the commit of the running task's unit of work; at once where it is in none."""
    unit = current_unit()
    if unit is None:
        action()
    else:
        unit.after_commit(action)
