"""Replies that are streams, of server-sent events mostly: each is written when it is there. Made by `endpoint`."""

import asyncio
from typing import Final

import structlog
from fastapi import Response
from starlette.types import Receive, Scope, Send

from gateway.entrypoints.http.exchange import StreamReply

log = structlog.get_logger(__name__)

_HEADERS: Final = (
    (b"cache-control", b"no-cache"),
    # Or a proxy like nginx collects events until they fill a buffer.
    (b"x-accel-buffering", b"no"),
)


class StreamResponse(Response):
    """A stream on its way. It ends when the client goes; to a HEAD it tells its headers alone."""

    def __init__(self, reply: StreamReply, request_id: str, *, closing: bool) -> None:
        # Deliberately without the base class's own, which would build its headers again.
        self.request_id = request_id
        self.status_code = 200
        self.background = None
        self._events = reply.events
        self.raw_headers = [
            (b"content-type", reply.media_type),
            *_HEADERS,
            (b"x-request-id", self.request_id.encode()),
            *reply.headers,
        ]
        if closing:
            self.raw_headers.append((b"connection", b"close"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        sending = asyncio.current_task()
        departure = asyncio.create_task(_departure(receive))

        def leave(_departure: "asyncio.Task[None]") -> None:
            if sending is not None:
                sending.cancel()

        departure.add_done_callback(leave)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                async for event in self._events:
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            if not departure.done() or sending is None:
                raise
            # Nobody but this stream ends: the run goes on.
            sending.uncancel()
        except Exception as error:  # noqa: BLE001 - the reply has begun, so nobody else can answer for it
            # Left without its end, the connection is closed: the client sees that there was more to come.
            log.error(
                "a stream broke off", action="stream_broke_off", request_id=self.request_id, error=type(error).__name__
            )
        finally:
            departure.remove_done_callback(leave)
            departure.cancel()
            await self._events.aclose()


async def _departure(receive: Receive) -> None:
    """End when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
