"""The header Idempotency-Key: which requests are the same one, how a reply is kept and given again. Part of `endpoint`.

The key is the tenant's, and stands for one request to one path. A request is its repetition where query, media type and
body are the same, byte for byte, and whatever else the dialect looks at (`manner`). A handler that takes its body in
pieces is wrapped in `KeysItself`, and says what its request is when it knows, through `Call.once`. Of a stream its
start is kept: a repetition joins it, and gets all of it.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Final, TypeAlias

from run_engine.store.idempotency import KeptReply, KeyedRequest

from gateway.application.idempotency import Idempotency
from gateway.entrypoints.http.bytes_reply import BytesReply
from gateway.entrypoints.http.exchange import Call, Headers, Reply, StreamReply, StreamStart

HEADER: Final = b"idempotency-key"
LONGEST_KEY: Final = 255
_REPLAYED: Final = (b"idempotent-replayed", b"true")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")

Join: TypeAlias = Callable[[Call, StreamStart], Awaitable[StreamReply]]
"""Streams a run from a place of its events on."""
_Keepable: TypeAlias = Reply | StreamReply
_Effect: TypeAlias = Callable[[], Awaitable[_Keepable]]
_Handler: TypeAlias = Callable[[Call], Awaitable[_Keepable | BytesReply]]


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
    """Answers requests that have a key with the handlers of all others.

    `join` is the dialect's, if it streams. `manner` tells from the headers of a request what shape its reply has, where
    a dialect has several: nothing for the usual one.
    """

    def __init__(
        self, idempotency: Idempotency, join: Join | None = None, manner: Callable[[Headers], bytes] | None = None
    ) -> None:
        self._idempotency = idempotency
        self._join = join
        self._manner = manner

    async def answer(self, key: bytes, place: str, call: Call, handler: _Handler) -> _Keepable | BytesReply:
        """Return the reply, the handler's or an earlier one. `place` is what the key is for: method and path.

        Raises `KeyMalformed`, `KeyInUse`, `KeyReused`, and what the handler raises.
        """
        if not 0 < len(key) <= LONGEST_KEY or _CONTROL.search(key):
            raise KeyMalformed
        name = _digest(place.encode(errors="surrogatepass"), key)
        if isinstance(handler, KeysItself):

            async def once(fingerprint: bytes, effect: Callable[[], Awaitable[Reply]]) -> Reply:
                reply = await self._once(call, KeyedRequest(call.tenant_id, name, fingerprint), effect)
                if isinstance(reply, Reply):
                    return reply
                raise _unkeepable(reply)

            call.once = once
            return await handler(call)

        async def effect() -> _Keepable:
            reply = await handler(call)
            if isinstance(reply, BytesReply):
                raise _unkeepable(reply)
            return reply

        media_type = call.headers.get(b"content-type", b"").strip().lower()
        manner = self._manner(call.headers) if self._manner is not None else b""
        fingerprint = _digest(media_type, call.query, await call.body(), *((manner,) if manner else ()))
        return await self._once(call, KeyedRequest(call.tenant_id, name, fingerprint), effect)

    async def _once(self, call: Call, request: KeyedRequest, effect: _Effect) -> _Keepable:
        made: list[_Keepable] = []

        async def keepable() -> KeptReply:
            reply = await effect()
            if isinstance(reply, Reply) and reply.status >= HTTPStatus.BAD_REQUEST:
                raise _Refused(reply)
            made.append(reply)
            return _kept(reply)

        try:
            kept = await self._idempotency.once(request, keepable)
        except _Refused as refused:
            return refused.reply
        except BaseException:
            # What was not committed is not streamed.
            for reply in made:
                if isinstance(reply, StreamReply):
                    await reply.events.aclose()
            raise
        if kept is None:
            return made.pop()
        if kept.stream is None:
            return _replayed(kept)
        if self._join is None:
            raise TypeError("a stream was kept by a dialect that has none")
        joined = await self._join(call, StreamStart(**kept.stream))
        return joined._replace(headers=(*joined.headers, _REPLAYED))


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


def _kept(reply: _Keepable) -> KeptReply:
    if isinstance(reply, StreamReply):
        return KeptReply(status=HTTPStatus.OK, stream=asdict(reply.start))
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in reply.headers)
    return KeptReply(status=reply.status, headers=headers, body=reply.body)


def _replayed(kept: KeptReply) -> Reply:
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers)
    return Reply(kept.status, kept.body, (*headers, _REPLAYED))


def _unkeepable(reply: object) -> TypeError:
    return TypeError(f"the reply to a POST is a {type(reply).__name__}, which cannot be kept")
