"""Named gates at which replies wait until a test lets them through: a signal in the place of a sleep."""

import asyncio
from collections import defaultdict

from model_simulator.control.changes import Changes
from model_simulator.reply.exchange import Exchange


class Gates:
    """All gates. A gate exists as soon as its name is used and is closed until it is released."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._open: set[str] = set()
        self._waiting: defaultdict[str, list[asyncio.Future[None]]] = defaultdict(list)

    async def pass_through(self, name: str, exchange: Exchange) -> None:
        """Return at once when the gate is open, else when it is released. Raises what `Exchange.pause` raises."""
        if name in self._open:
            return
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[name].append(released)
        self._changes.notify()
        try:
            await exchange.wait_for(released)
        finally:
            self._waiting[name].remove(released)
            self._changes.notify()

    def release(self, name: str, count: int | None = None) -> int:
        """Let through those who wait and open the gate for good; return how many they were.

        With `count` only the first so many are let through, and the gate stays as it is.
        """
        if count is None:
            self._open.add(name)
        chosen = [waiter for waiter in self._waiting[name] if not waiter.done()][:count]
        for waiter in chosen:
            waiter.set_result(None)
        return len(chosen)

    def waiting_at(self, name: str) -> int:
        """Return how many replies wait at the gate."""
        return len(self._waiting[name])

    def view(self) -> dict[str, dict[str, object]]:
        """Return every gate in use: `{name: {"open": bool, "waiting": int}}`."""
        names = self._open | {name for name, waiting in self._waiting.items() if waiting}
        return {name: {"open": name in self._open, "waiting": self.waiting_at(name)} for name in sorted(names)}

    def reset(self) -> None:
        """Let everybody through and close all gates."""
        for name in list(self._waiting):
            self.release(name, len(self._waiting[name]))
        self._open.clear()
