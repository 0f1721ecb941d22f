"""One HTTP request and its reply, down at the ASGI messages: reading, writing, waiting and closing.

Below a framework on purpose: the completions are what benchmarks call, and a reply has to be able to stop in the middle
while the client is watched.
"""

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send

from model_simulator.closable_http import CLOSE_CONNECTION
from model_simulator.request.refusals import Refusal, RefusedError

_JSON = (b"content-type", b"application/json")
_EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


class ClientGoneError(Exception):
    """The client closed its connection before the reply was complete."""


class StoppingError(Exception):
    """The simulator stops while the reply is held up."""


class Waiting:
    """The exchanges that are held up at this moment, so that a stopping simulator can end them."""

    def __init__(self) -> None:
        self.stopping = False
        self._exchanges: set[Exchange] = set()

    def add(self, exchange: "Exchange") -> None:
        """Note that it waits. Raises StoppingError when it must not begin to."""
        if self.stopping:
            raise StoppingError
        self._exchanges.add(exchange)

    def discard(self, exchange: "Exchange") -> None:
        """Note that it goes on."""
        self._exchanges.discard(exchange)

    def stop(self) -> None:
        """Wake all of them with a StoppingError, and refuse new waits."""
        self.stopping = True
        for exchange in list(self._exchanges):
            exchange.interrupt(StoppingError())


class Exchange:
    """Reads the request, sends the reply, and waits in between while the client is there."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, waiting: Waiting) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._waiting = waiting
        self._started = False
        self._watcher: asyncio.Task[None] | None = None
        self._awaited: asyncio.Future[None] | None = None
        self._gone = False

    def header(self, name: bytes) -> str | None:
        """Return a header of the request by its lower-case name."""
        value: bytes | None = next((value for key, value in self._scope["headers"] if key == name), None)
        return None if value is None else value.decode("latin-1")

    async def read_body(self, largest: int) -> bytes:
        """Return the body. Raises RefusedError (413) above `largest` bytes, ClientGoneError when it breaks off."""
        parts, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > largest:
                raise RefusedError(Refusal.of(413, f"Request body too large: the limit is {largest} bytes."))
            if not message.get("more_body", False):
                return b"".join(parts) if len(parts) > 1 else parts[0]

    async def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole reply with a JSON body."""
        extra = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()]
        length = (b"content-length", str(len(body)).encode())
        await self._send({"type": "http.response.start", "status": status, "headers": [_JSON, length, *extra]})
        await self._send({"type": "http.response.body", "body": body})
        self._ended()

    async def stream(self, data: bytes, *, last: bool = False) -> None:
        """Send a part of an event stream, before the first one its status and headers."""
        if not self._started:
            self._started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})
        if last:
            self._ended()

    async def pause(self, seconds: float) -> None:
        """Wait. Raises ClientGoneError as soon as the client is gone, StoppingError when the simulator stops."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _resolve, over)
        try:
            await self.wait_for(over)
        finally:
            timer.cancel()

    async def wait_for(self, awaited: asyncio.Future[None]) -> None:
        """Wait for a future, with the errors of `pause`."""
        self._watch_client()
        if self._gone:
            raise ClientGoneError
        self._waiting.add(self)
        self._awaited = awaited
        try:
            await awaited
        finally:
            self._awaited = None
            self._waiting.discard(self)

    def interrupt(self, error: Exception) -> None:
        """Make the current wait, if there is one, raise the error."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(error)

    async def close(self) -> None:
        """Close the connection in the middle of the reply; what was sent before still arrives."""
        self._scope["extensions"][CLOSE_CONNECTION]["close"]()
        self._watch_client()
        if self._watcher is not None:
            await self._watcher

    def _watch_client(self) -> None:
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._until_disconnect())

    async def _until_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self.interrupt(ClientGoneError())

    def _ended(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()


def _resolve(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_result(None)
