"""Who asks: from an API key to its owner, remembered for a few seconds. Used by dialects that ask for a key.

Reading the key from the database costs more than the statement that most requests are about. So an answer is kept for a
moment, by the digest of the key: a revoked key works that much longer, and a new one is known that much later.
"""

import time
from collections.abc import Callable
from typing import Final

from run_engine.keys import digest
from run_engine.store.tenants import Principal

from gateway.application.ports import KeyStore

KNOWN_FOR: Final = 5.0
"""Seconds that the owner of a key is remembered."""
UNKNOWN_FOR: Final = 1.0
"""Seconds that an unknown key is remembered; short, because a key may be tried a moment before it is made."""
MOST_KEYS: Final = 10_000
"""Keys remembered at once; whoever tries more than that in five seconds pays with the oldest."""


class Authentication:
    """Finds the owner of a key. `clock` is monotonic, in seconds."""

    def __init__(self, keys: KeyStore, *, clock: Callable[[], float] = time.monotonic, most: int = MOST_KEYS) -> None:
        self._keys = keys
        self._clock = clock
        self._most = most
        self._remembered: dict[bytes, tuple[float, Principal | None]] = {}

    async def principal(self, key: str) -> Principal | None:
        """Who the key belongs to, or None. Raises `DatabaseUnavailable`."""
        fingerprint = digest(key)
        remembered = self._remembered.get(fingerprint)
        if remembered is not None and self._clock() < remembered[0]:
            return remembered[1]
        principal = await self._keys.authenticate(key)
        self._remember(fingerprint, principal)
        return principal

    def _remember(self, fingerprint: bytes, principal: Principal | None) -> None:
        # A dict keeps the order of insertion, so its first key is the oldest answer.
        self._remembered.pop(fingerprint, None)
        if len(self._remembered) >= self._most:
            del self._remembered[next(iter(self._remembered))]
        until = self._clock() + (KNOWN_FOR if principal is not None else UNKNOWN_FOR)
        self._remembered[fingerprint] = (until, principal)
