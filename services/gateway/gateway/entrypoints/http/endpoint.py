"""One path of a dialect: finds the handler of a method, asks who calls, and sends whatever comes of it.

An ASGI application on purpose, without FastAPI's or Starlette's request handling above it: what is checked, and how it
is refused, is the dialect's (docs/adr/0011).
"""

import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from gateway.entrypoints.http.body import BodyTooLarge, drop_body
from gateway.entrypoints.http.exchange import Call, Headers, Reply

log = structlog.get_logger(__name__)

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
Handlers: TypeAlias = Mapping[str, Handler]
"""The operations of one path by HTTP method. GET answers HEAD too."""


class UnknownRoute(Exception):
    """No path of any dialect matches."""


class MethodNotAllowed(Exception):
    """The path exists, and does not know this method."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(f"allowed are {', '.join(allowed)}")
        self.allowed = allowed


class Dialect(Protocol):
    """What an endpoint needs to know of its dialect."""

    async def tenant_of(self, headers: Headers) -> str:
        """Return the id of the tenant that calls, or raise what `refuse` turns into a reply."""
        ...

    def refuse(self, error: Exception, method: str, path: str) -> Reply:
        """Return the reply to an error in the dialect's envelope: its own, the engine's, and any other as a 500."""
        ...


class Draining:
    """Whether the server is about to stop. Replies then ask for the connection to be closed."""

    def __init__(self) -> None:
        self.begun = False


class Endpoint:
    """ASGI application of one path."""

    def __init__(
        self, dialect: Dialect, handlers: Handlers, *, template: str, largest_body: int, draining: Draining
    ) -> None:
        self._dialect = dialect
        self._handlers = dict(handlers)
        if "GET" in handlers:
            self._handlers["HEAD"] = handlers["GET"]
        self._allowed = tuple(self._handlers)
        self._template = template
        self._largest_body = largest_body
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.monotonic()
        request_id = f"req_{uuid4().hex}"
        lingering = False
        try:
            reply = await self._answer(scope, receive)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the dialect has a reply for everything, and nothing else may answer
            lingering = isinstance(error, BodyTooLarge)
            reply = self._dialect.refuse(error, scope["method"], scope["path"])
            if reply.status >= 500:
                self._log_failure(error, scope["method"], request_id, reply.status)
        await self._send(reply, request_id, receive, send, lingering=lingering)
        log.debug(
            "request answered",
            action="request",
            method=scope["method"],
            route=self._template,
            status=reply.status,
            milliseconds=round((time.monotonic() - began) * 1000, 1),
            request_id=request_id,
        )

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        handler = self._handlers.get(scope["method"])
        if handler is None:
            raise MethodNotAllowed(self._allowed) if self._handlers else UnknownRoute
        headers: Headers = dict(scope["headers"])
        tenant_id = await self._dialect.tenant_of(headers)
        return await handler(
            Call(
                tenant_id=tenant_id,
                values=scope["path_params"],
                query=scope["query_string"],
                headers=headers,
                receive=receive,
                largest_body=self._largest_body,
            )
        )

    async def _send(self, reply: Reply, request_id: str, receive: Receive, send: Send, *, lingering: bool) -> None:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(reply.body)),
            (b"x-request-id", request_id.encode()),
            *reply.headers,
        ]
        if lingering or self._draining.begun:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if lingering:
            await send({"type": "http.response.body", "body": reply.body, "more_body": True})
            await drop_body(receive)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": reply.body})

    def _log_failure(self, error: Exception, method: str, request_id: str, status: int) -> None:
        # Never the error's own text: a driver's errors quote the values that a statement was given.
        frames = traceback.extract_tb(error.__traceback__)
        log.error(
            "a request failed",
            action="request_failed",
            method=method,
            route=self._template,
            status=status,
            error=type(error).__name__,
            caused_by=type(error.__cause__).__name__ if error.__cause__ is not None else None,
            trace=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
            request_id=request_id,
        )
