"""A request that is repeated with its key has one effect, and the same reply each time. Used by the HTTP endpoints.

The database decides: the key is taken in the transaction that has the effect, and a request with the same key waits for
it there, on a connection. So that many repetitions at once do not take all connections, those that come to this process
wait here first.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from run_engine.errors import KeyInUse
from run_engine.store.idempotency import LONGEST_WAIT, KeptReply, KeyedRequest


class KeptReplies(Protocol):
    """The replies to requests that came with keys. Raises `KeyReused` where a key stood for another request."""

    async def kept(self, request: KeyedRequest) -> KeptReply | None:
        """Return the reply to an earlier request, if it was committed."""
        ...

    async def once(self, request: KeyedRequest, effect: Callable[[], Awaitable[KeptReply]]) -> KeptReply | None:
        """Have the effect and keep its reply, in one commit, or return an earlier reply. Raises `KeyInUse`."""
        ...


class Idempotency:
    """Answers requests with keys."""

    def __init__(self, replies: KeptReplies) -> None:
        self._replies = replies
        self._ending: dict[tuple[str, bytes], asyncio.Future[None]] = {}

    async def once(self, request: KeyedRequest, effect: Callable[[], Awaitable[KeptReply]]) -> KeptReply | None:
        """Have the effect and keep its reply, in one commit; return None. Return the reply of an earlier request.

        Whatever `effect` raises undoes it and leaves the key free. Raises `KeyInUse` and `KeyReused`.
        """
        name = request.tenant_id, request.name
        if name in self._ending:
            await self._turn(name)
            # Whoever waited finds the reply now, unless it was a refusal: then one after the other tries.
            kept = await self._replies.kept(request)
            if kept is not None:
                return kept
            await self._turn(name)
        self._ending[name] = ended = asyncio.get_running_loop().create_future()
        try:
            return await self._replies.once(request, effect)
        finally:
            del self._ending[name]
            ended.set_result(None)

    async def _turn(self, name: tuple[str, bytes]) -> None:
        """Return when no request with the key is being answered in this process."""
        try:
            async with asyncio.timeout(LONGEST_WAIT.total_seconds()):
                while name in self._ending:
                    await asyncio.shield(self._ending[name])
        except TimeoutError:
            raise KeyInUse from None
