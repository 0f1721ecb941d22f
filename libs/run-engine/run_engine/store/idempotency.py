"""Replies kept under keys of clients, so that a repeated request gets them again. Called by the gateway.

What a reply is, and what makes two requests the same one, is the caller's; here are a digest for each, and the order of
locks: the key first, then whatever the effect locks.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg

from run_engine.domain.objects import Json
from run_engine.errors import DatabaseUnavailable, KeyInUse, KeyReused
from run_engine.store.database import Database, Session
from run_engine.store.faults import unavailable

LONGEST_WAIT: Final = timedelta(seconds=5)
"""How long a request waits for another one with its key, and the effect of one that has the key for any lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReply:
    """A reply, as it is sent again."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    stream: Json | None = None
    """Where a streamed reply began, in the caller's terms; it has no body then."""


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that came with a key."""

    tenant_id: str
    name: bytes
    """Digest of the key and of where the request went: what a repetition has in common with it."""
    fingerprint: bytes
    """Digest of all else that its effect depends on: what a repetition must have in common with it, too."""


class IdempotencyKeys:
    """The keys of all tenants."""

    def __init__(self, database: Database, *, longest_wait: timedelta = LONGEST_WAIT) -> None:
        self._database = database
        self._longest_wait = f"{round(longest_wait.total_seconds() * 1000)}ms"

    async def once(self, request: KeyedRequest, effect: Callable[[], Awaitable[KeptReply]]) -> KeptReply | None:
        """Has the effect and keeps its reply, as one unit of work; None. Or the reply to an earlier request.

        What `effect` raises undoes it and leaves the key free. Waits for whoever has the key; raises `KeyInUse` when
        that takes too long, and `KeyReused`.
        """
        async with self._database.unit_of_work() as session:
            while not await self._claim(session, request):
                kept = await self.kept(request)
                if kept is not None:
                    return kept
                # It was forgotten between the two statements: the key is free now.
            await self._keep(session, request, await effect())
        return None

    async def kept(self, request: KeyedRequest) -> KeptReply | None:
        """The reply that is committed for a request of this name. Raises `KeyReused` where that was another request."""
        row = await self._database.one("kept_reply", tenant_id=request.tenant_id, name=request.name)
        if row is None:
            return None
        if row["fingerprint"] != request.fingerprint:
            raise KeyReused
        headers = tuple((name, value) for name, value in row["headers"])
        return KeptReply(status=row["status"], headers=headers, body=row["body"], stream=row["stream"])

    async def _claim(self, session: Session, request: KeyedRequest) -> bool:
        try:
            with unavailable():
                row = await session.one(
                    "claim_key",
                    tenant_id=request.tenant_id,
                    name=request.name,
                    fingerprint=request.fingerprint,
                    longest_wait=self._longest_wait,
                )
        except DatabaseUnavailable as error:
            if isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                raise KeyInUse from None
            raise
        return row is not None

    @staticmethod
    async def _keep(session: Session, request: KeyedRequest, reply: KeptReply) -> None:
        with unavailable():
            await session.all(
                "keep_reply",
                tenant_id=request.tenant_id,
                name=request.name,
                status=reply.status,
                headers=reply.headers,
                body=reply.body,
                stream=reply.stream,
            )
