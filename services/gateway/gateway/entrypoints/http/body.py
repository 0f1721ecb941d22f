"""Reads request bodies up to a limit, and gets rid of what is above it. Used by `exchange` and `endpoint`."""

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive

LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 64 * 1024 * 1024
"""What is still taken in, and dropped, after a body was refused. Most clients write their whole body before they read;
closing under them resets the connection, and the reply that tells them why is lost."""


class BodyTooLarge(Exception):
    """The body is larger than the gateway takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body has more than {limit} bytes")
        self.limit = limit


class FileTooLarge(BodyTooLarge):
    """The file of an upload is larger than the gateway takes."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """Return the body; raises `BodyTooLarge`, without reading when the header says so already, and `ClientDisconnect`.

    The number of a content-length header is the server's to check: it never hands out more than that.
    """
    announced = headers.get(b"content-length")
    if announced is not None and int(announced) > limit:
        raise BodyTooLarge(limit)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise BodyTooLarge(limit)
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def drop_body(receive: Receive) -> None:
    """Take in what the client still sends, for a while, and forget it."""
    dropped = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while dropped <= LINGER_BYTES:
                message = await receive()
                dropped += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
