"""How replies leave: bytes that are ready to be sent, without rendering them again. Made by `endpoint`."""

from http import HTTPStatus

from fastapi import Response
from starlette.types import Receive, Scope, Send

from gateway.entrypoints.http.body import drop_body
from gateway.entrypoints.http.exchange import Reply


class ReplyResponse(Response):
    """A reply on its way. `lingering` takes in what the client still sends of a refused body before it ends."""

    def __init__(self, reply: Reply, request_id: str, *, lingering: bool, closing: bool) -> None:
        # Deliberately without the base class's own: it would render the body and build its headers again.
        self.request_id = request_id
        self.status_code = reply.status
        self.background = None
        self.body = reply.body
        # A reply of status 204 has no body, and says nothing of one.
        described = (
            [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply.body))]
            if reply.status != HTTPStatus.NO_CONTENT
            else []
        )
        self.raw_headers = [*described, (b"x-request-id", self.request_id.encode()), *reply.headers]
        if closing:
            self.raw_headers.append((b"connection", b"close"))
        self._lingering = lingering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._lingering:
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            await drop_body(receive)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": self.body})


class NobodyListens(Response):
    """What is sent to a client that has gone: nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""
