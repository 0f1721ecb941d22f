"""The header Idempotency-Key: which requests are the same one, how a reply is kept and given again. Part of `endpoint`.

The key is the tenant's, and stands for one request to one path. A request is its repetition where query, media type and
body are the same, byte for byte. A handler that takes its body in pieces is wrapped in `KeysItself`, and says what its
request is when it knows, through `Call.once`.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Final, TypeAlias

from run_engine.store.idempotency import KeptReply, KeyedRequest

from gateway.application.idempotency import Idempotency
from gateway.entrypoints.http.bytes_reply import BytesReply
from gateway.entrypoints.http.exchange import Call, Reply

HEADER: Final = b"idempotency-key"
LONGEST_KEY: Final = 255
_REPLAYED: Final = (b"idempotent-replayed", b"true")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")

_Answer: TypeAlias = Reply | BytesReply
_Effect: TypeAlias = Callable[[], Awaitable[Reply]]
_Handler: TypeAlias = Callable[[Call], Awaitable[_Answer]]


class KeyMalformed(Exception):
    """The header holds no key."""


@dataclass(frozen=True, slots=True)
class KeysItself:
    """A handler whose body is not read for it: it reads it, and has its effect through `Call.once`."""

    handler: Callable[[Call], Awaitable[Reply]]

    async def __call__(self, call: Call) -> Reply:
        """Handle the request."""
        return await self.handler(call)


class KeyedRequests:
    """Answers requests that have a key with the handlers of all others."""

    def __init__(self, idempotency: Idempotency) -> None:
        self._idempotency = idempotency

    async def answer(self, key: bytes, place: str, call: Call, handler: _Handler) -> _Answer:
        """Return the reply, the handler's or an earlier one. `place` is what the key is for: method and path.

        Raises `KeyMalformed`, `KeyInUse`, `KeyReused`, and what the handler raises.
        """
        if not 0 < len(key) <= LONGEST_KEY or _CONTROL.search(key):
            raise KeyMalformed
        name = _digest(place.encode(errors="surrogatepass"), key)

        async def once(fingerprint: bytes, effect: _Effect) -> Reply:
            return await self._once(KeyedRequest(call.tenant_id, name, fingerprint), effect)

        async def effect() -> Reply:
            made = await handler(call)
            if isinstance(made, Reply):
                return made
            raise TypeError("the reply to a POST is not at hand as a whole, and cannot be kept")

        if isinstance(handler, KeysItself):
            call.once = once
            return await handler(call)
        media_type = call.headers.get(b"content-type", b"").strip().lower()
        return await once(_digest(media_type, call.query, await call.body()), effect)

    async def _once(self, request: KeyedRequest, effect: _Effect) -> Reply:
        made: list[Reply] = []

        async def keepable() -> KeptReply:
            reply = await effect()
            if reply.status >= HTTPStatus.BAD_REQUEST:
                raise _Refused(reply)
            made.append(reply)
            return _kept(reply)

        try:
            kept = await self._idempotency.once(request, keepable)
        except _Refused as refused:
            return refused.reply
        return made.pop() if kept is None else _replayed(kept)


class _Refused(Exception):
    """A handler has returned a refusal: what it did until then is undone."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def _digest(*parts: bytes) -> bytes:
    """Return a digest of the parts and of where each ends."""
    digest = sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def _kept(reply: Reply) -> KeptReply:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in reply.headers)
    return KeptReply(status=reply.status, headers=headers, body=reply.body)


def _replayed(kept: KeptReply) -> Reply:
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers)
    return Reply(kept.status, kept.body, (*headers, _REPLAYED))
