"""Websockets: any number of messages on one connection, each answered with text frames, one after the other.

What is the same for all dialects is here: which pages may connect, that a client which goes is noticed at once, and the
end of a connection when the server stops. What is said is a dialect's `Dialog`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Final, Protocol, TypeAlias

from fastapi import Response, WebSocket, WebSocketDisconnect
from starlette.types import Scope

from gateway.entrypoints.http.cross_origin import may_connect
from gateway.entrypoints.http.endpoint import Admission, Draining
from gateway.entrypoints.http.request_limit import TooManyRequests

LARGEST_MESSAGE: Final = 4 * 1024 * 1024
"""Bytes of a message; one above ends its connection with code 1009. Four for each character of the longest question,
and room for those that JSON writes longer."""
MOST_WAITING: Final = 32
"""Messages that may wait while another one is answered; all together they are not longer than one may be."""

_GOING_AWAY: Final = 1001
_TOO_MUCH: Final = 1008

_Message: TypeAlias = "str | bytes"


class _Waiting(asyncio.Queue[_Message]):
    """The messages that wait. Nobody has looked at them yet, so neither have they counted as requests."""

    def __init__(self) -> None:
        super().__init__(MOST_WAITING)
        self._length = 0

    def takes(self, message: _Message) -> bool:
        """Whether there is room for one more."""
        return not self.full() and self._length + len(message) <= LARGEST_MESSAGE

    def _put(self, item: _Message) -> None:
        super()._put(item)
        self._length += len(item)

    def _get(self) -> _Message:
        item = super()._get()
        self._length -= len(item)
        return item


class Dialog(Protocol):
    """What a dialect says on a websocket."""

    def answer(self, scope: Scope, message: str | bytes) -> AsyncGenerator[str, None]:
        """Give the text frames that answer a message. Never raises: what is wrong is told in a frame."""
        ...


class SocketEndpoint:
    """The connections of one path."""

    def __init__(
        self, dialog: Dialog, draining: Draining, origins: Sequence[str], admission: Admission | None = None
    ) -> None:
        self._dialog = dialog
        self._admission = admission
        self._draining = draining
        self._origins = origins

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection, until its client goes or the server stops. An answer that is under way is finished."""
        if self._draining.begun or not may_connect(socket.headers, self._origins):
            # Before it is accepted, this is a 403.
            await socket.close()
            return
        try:
            if self._admission is not None:
                self._admission.admit(socket.scope)
        except TooManyRequests as refused:
            headers = {"retry-after": str(refused.seconds)}
            await socket.send_denial_response(Response(status_code=429, headers=headers))
            return
        await socket.accept()
        waiting = _Waiting()
        receiving = asyncio.create_task(_receive(socket, waiting))
        talking = asyncio.create_task(self._talk(socket, waiting))
        try:
            await asyncio.wait({receiving, talking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            receiving.cancel()
            talking.cancel()
            await asyncio.gather(receiving, talking, return_exceptions=True)
        if not talking.cancelled():
            # An error of its own is for the server to log; that the client has gone is none.
            with suppress(WebSocketDisconnect):
                talking.result()
                await socket.close(_GOING_AWAY)
        elif not receiving.cancelled() and receiving.result():
            await socket.close(_TOO_MUCH)

    async def _talk(self, socket: WebSocket, waiting: _Waiting) -> None:
        """Answer what comes; return when the server stops. A client that has gone is an error of `send_text`."""
        stopping = asyncio.create_task(self._draining.wait())
        try:
            while True:
                taking = asyncio.create_task(waiting.get())
                try:
                    await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    if stopping.done():
                        return
                finally:
                    taking.cancel()
                async with aclosing(self._dialog.answer(socket.scope, taking.result())) as frames:
                    async for frame in frames:
                        await socket.send_text(frame)
        finally:
            stopping.cancel()


async def _receive(socket: WebSocket, waiting: _Waiting) -> bool:
    """Take in messages; return when the client has gone, or, with True, when it sends more than are taken."""
    while True:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            return False
        text = message.get("text")
        content: _Message = message["bytes"] if text is None else text
        if not waiting.takes(content):
            return True
        waiting.put_nowait(content)
