"""Replies of many bytes that are not at hand: sent in pieces, as fast as the client takes them. Made by `endpoint`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, NamedTuple

import structlog
from fastapi import Response
from starlette.types import Receive, Scope, Send

log = structlog.get_logger(__name__)


_AT_ONCE: Final = 64 * 1024
"""Bytes that are written at once. A client has to take each within the patience of its connection."""


class BytesReply(NamedTuple):
    """A reply of `length` bytes (None: nobody knows yet). `headers`: those besides content-length and x-request-id."""

    status: int
    pieces: AsyncGenerator[bytes, None]
    length: int | None
    headers: tuple[tuple[bytes, bytes], ...]


class BytesResponse(Response):
    """A `BytesReply` on its way. It stops when the client goes; where the pieces break off, so does the connection."""

    def __init__(self, reply: BytesReply, request_id: str, *, closing: bool) -> None:
        # Deliberately without the base class's own, which would build its headers again.
        self.request_id = request_id
        self.status_code = reply.status
        self.background = None
        self._pieces = reply.pieces
        self.raw_headers = [(b"x-request-id", self.request_id.encode()), *reply.headers]
        if reply.length is not None:
            self.raw_headers.append((b"content-length", b"%d" % reply.length))
        if closing:
            self.raw_headers.append((b"connection", b"close"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        gone = asyncio.create_task(_departure(receive))
        try:
            async with aclosing(self._pieces):
                if scope["method"] != "HEAD" and not await self._send_pieces(send, gone):
                    return
            await send({"type": "http.response.body", "body": b""})
        except Exception as error:  # noqa: BLE001 - the reply has begun, so nobody else can answer for it
            # Left without its end, the connection is closed: the client sees that bytes are missing.
            log.error(
                "a reply broke off", action="reply_broke_off", request_id=self.request_id, error=type(error).__name__
            )
        finally:
            gone.cancel()

    async def _send_pieces(self, send: Send, gone: "asyncio.Task[None]") -> bool:
        """Send all; False where the client went before."""
        async for piece in self._pieces:
            for start in range(0, len(piece), _AT_ONCE):
                if gone.done():
                    return False
                body = piece[start : start + _AT_ONCE]
                await send({"type": "http.response.body", "body": body, "more_body": True})
        return True


async def _departure(receive: Receive) -> None:
    """End when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
