"""One path of a dialect: finds the handler of a method, asks who calls, and replies with whatever comes of it.

FastAPI routes to it and leaves the rest alone: what is checked, and how it is refused, is the dialect's
(docs/adr/0011).
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Protocol, TypeAlias
from uuid import uuid4

import structlog
from fastapi import Request, Response
from observability.log_context import LogContext
from observability.tracing import span_of, spans_are_made
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from gateway.entrypoints.http.body import BodyTooLarge
from gateway.entrypoints.http.bytes_reply import BytesReply, BytesResponse
from gateway.entrypoints.http.exchange import Call, Headers, Reply, StreamReply
from gateway.entrypoints.http.idempotency import HEADER, KeyedRequests
from gateway.entrypoints.http.response import NobodyListens, ReplyResponse
from gateway.entrypoints.http.stream_reply import StreamResponse
from gateway.entrypoints.http.tool_credentials import credentials_of

log = structlog.get_logger(__name__)

Handler: TypeAlias = Callable[[Call], Awaitable[Reply | BytesReply | StreamReply]]
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


class RouteMeter(Protocol):
    """Counts the replies to the requests of one path."""

    def answered(self, method: str, status: int, seconds: float | None) -> None:
        """Count a reply; `seconds` since the request, where that is known."""
        ...


class Admission(Protocol):
    """Decides whether a request is looked at at all, before it is known who calls."""

    def admit(self, scope: Scope) -> None:
        """Return, or raise what the dialect's `refuse` turns into a reply."""
        ...


class Draining:
    """Whether the server is about to stop. Replies then ask for the connection to be closed."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether it is."""
        return self._begun.is_set()

    def begin(self) -> None:
        """It is from now on."""
        self._begun.set()

    async def wait(self) -> None:
        """Return when it is."""
        await self._begun.wait()


class Endpoint:
    """The operations of one path."""

    def __init__(
        self,
        dialect: Dialect,
        handlers: Handlers,
        *,
        template: str,
        largest_body: int,
        draining: Draining,
        meter: RouteMeter,
        keyed: KeyedRequests | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._dialect = dialect
        self._admission = admission
        self._meter = meter
        self._handlers = dict(handlers)
        if "GET" in handlers:
            self._handlers.setdefault("HEAD", handlers["GET"])
        self._template = template
        self._largest_body = largest_body
        self._draining = draining
        self._keyed = keyed

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the path knows."""
        return tuple(self._handlers)

    async def respond(self, request: Request) -> Response:
        """Answer one request, whatever is raised on the way."""
        began = time.monotonic()
        headers: Headers = dict(request.scope["headers"])
        request_id = _new_request_id()
        with LogContext(request_id=request_id):
            sent = headers.get(b"traceparent")
            if sent is None and not spans_are_made():
                return await self._respond(request, headers, request_id, began)
            traceparent = None if sent is None else sent.decode("latin-1")
            attributes = {"http.request.method": request.method, "http.route": self._template}
            with span_of(traceparent, f"{request.method} {self._template}", "server", attributes) as this:
                response = await self._respond(request, headers, request_id, began)
                this.says("http.response.status_code", response.status_code)
                if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    this.failed(str(response.status_code))
                return response

    async def _respond(self, request: Request, headers: Headers, request_id: str, began: float) -> Response:
        try:
            reply = await self._answer(request, headers)
        except ClientDisconnect:
            return NobodyListens()
        except Exception as error:  # noqa: BLE001 - the dialect has a reply for everything, and nothing else may answer
            return self.refuse(request, error, request_id, began)
        return self._response(request, reply, request_id, began)

    def refuse(
        self, request: Request, error: Exception, request_id: str | None = None, began: float | None = None
    ) -> Response:
        """Return the dialect's reply to `error`."""
        reply = self._dialect.refuse(error, request.method, request.scope["path"])
        lingering = isinstance(error, BodyTooLarge)
        response = self._response(request, reply, request_id or _new_request_id(), began, lingering=lingering)
        if reply.status >= 500:
            self._log_failure(error, request.method, response.request_id, reply.status)
        return response

    async def _answer(self, request: Request, headers: Headers) -> Reply | BytesReply | StreamReply:
        scope = request.scope
        if self._admission is not None:
            self._admission.admit(scope)
        handler = self._handlers.get(request.method)
        if handler is None:
            raise MethodNotAllowed(self.methods)
        if b"%2f" in scope["raw_path"].lower() and not self._template.endswith(":path}"):
            # Decoded, it would divide the path: an id that was encoded for its sake would reach another operation.
            # Names that may have slashes are the rest of their path, and reach nothing else.
            raise UnknownRoute
        tenant_id = await self._dialect.tenant_of(headers)
        call = Call(
            tenant_id=tenant_id,
            values=scope["path_params"],
            query=scope["query_string"],
            headers=headers,
            receive=request.receive,
            largest_body=self._largest_body,
        )
        with credentials_of(headers):
            if self._keyed is not None and request.method == "POST" and HEADER in headers:
                return await self._keyed.answer(headers[HEADER], f"POST {scope['path']}", call, handler)
            return await handler(call)

    def _response(
        self,
        request: Request,
        reply: Reply | BytesReply | StreamReply,
        request_id: str,
        began: float | None,
        *,
        lingering: bool = False,
    ) -> ReplyResponse | BytesResponse | StreamResponse:
        response: ReplyResponse | BytesResponse | StreamResponse
        if isinstance(reply, Reply):
            closing = lingering or self._draining.begun
            response = ReplyResponse(reply, request_id, lingering=lingering, closing=closing)
        elif isinstance(reply, BytesReply):
            response = BytesResponse(reply, request_id, closing=self._draining.begun)
        else:
            response = StreamResponse(reply, request_id, closing=self._draining.begun)
        taken = None if began is None else time.monotonic() - began
        self._meter.answered(request.method, response.status_code, taken)
        log.debug(
            "request answered",
            action="request",
            method=request.method,
            route=self._template,
            status=response.status_code,
            milliseconds=None if taken is None else round(taken * 1000, 1),
            request_id=response.request_id,
        )
        return response

    def _log_failure(self, error: Exception, method: str, request_id: str, status: int) -> None:
        # Never the error's own text: a driver's errors quote the values that a statement was given.
        line = log.bind(
            method=method,
            route=self._template,
            status=status,
            error=type(error).__name__,
            caused_by=type(error.__cause__).__name__ if error.__cause__ is not None else None,
            request_id=request_id,
        )
        if status != HTTPStatus.INTERNAL_SERVER_ERROR:
            # Nothing is wrong here: an outage, a model that failed, an answer that takes too long. Many requests say
            # so, and where it was noticed is of no use.
            line.warning("a request could not be served now", action="request_unavailable")
            return
        frames = traceback.extract_tb(error.__traceback__)
        line.error(
            "a request failed",
            action="request_failed",
            trace=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        )


def _new_request_id() -> str:
    return f"req_{uuid4().hex}"
