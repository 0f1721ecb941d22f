"""The FastAPI application of the gateway: the operations of all dialects on one router. Built by `bootstrap`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from gateway.entrypoints.http.cross_origin import allow_origins
from gateway.entrypoints.http.endpoint import (
    Admission,
    Dialect,
    Draining,
    Endpoint,
    Handlers,
    MethodNotAllowed,
    RouteMeter,
    UnknownRoute,
)
from gateway.entrypoints.http.idempotency import KeyedRequests
from gateway.entrypoints.http.sockets import Dialog, SocketEndpoint

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


MeterOf: TypeAlias = Callable[[str, str], RouteMeter]


class Uncounted:
    """Where nobody counts, as in tests of something else."""

    def answered(self, method: str, status: int, seconds: float | None) -> None:
        """Do nothing."""


def uncounted(_dialect: str, _template: str) -> Uncounted:
    """Count nothing."""
    return Uncounted()


def name_of(dialect: Dialect) -> str:
    """Return the name of a dialect: that of its folder beside this module."""
    module = type(dialect).__module__
    return module.removeprefix(f"{__package__}.").partition(".")[0]


@dataclass(frozen=True)
class Surface:
    """One dialect and its operations, by path. Order counts: the first path that matches is taken."""

    dialect: Dialect
    paths: Sequence[tuple[str, Handlers]]
    """Path templates as `/v1/threads/{thread_id}`, each with the handlers of its methods."""
    keyed: KeyedRequests | None = None
    """Answers POSTs that have an idempotency key; without it the header is not looked at."""
    exempt: Mapping[str, Dialect] = field(default_factory=dict)
    """Paths of it that ask callers for less than the rest, with the dialect that does so."""
    prefix: str = ""
    """What all of its paths begin with, as `/agents/`. Unknown paths that do so are refused in its words."""
    admission: Admission | None = None
    """Decides which requests are looked at."""
    largest_body: int | None = None
    """Bytes of a body, where the dialect takes less than the others."""
    sockets: Sequence[tuple[str, Dialog]] = ()
    """Paths of websockets, each with what answers the messages that come in."""


def build_app(
    surfaces: Sequence[Surface],
    *,
    largest_body: int,
    draining: Draining,
    meter_of: MeterOf = uncounted,
    cors_origins: Sequence[str] = (),
) -> FastAPI:
    """Return the application.

    A path that no dialect knows is refused in the words of the one whose prefix fits best, of several of the first.

    `meter_of` gives what counts the replies of a path, from the name of its dialect and its template.
    `cors_origins` are those whose pages may call, `*` for all.
    """
    app = FastAPI(title="Threadworks", redirect_slashes=False, openapi_url=None)
    endpoints: dict[str, Endpoint] = {}
    for surface in surfaces:
        for path, handlers in surface.paths:
            endpoint = Endpoint(
                surface.exempt.get(path, surface.dialect),
                handlers,
                template=path,
                largest_body=min(largest_body, surface.largest_body or largest_body),
                draining=draining,
                meter=meter_of(name_of(surface.dialect), path),
                keyed=surface.keyed,
                admission=surface.admission,
            )
            endpoints[path] = endpoint
            app.add_api_route(path, endpoint.respond, methods=list(endpoint.methods), response_class=Response)
            # Other methods must not fall through to a later path that matches too: /threads/runs is no thread.
            others = [method for method in METHODS if method not in endpoint.methods]
            app.add_api_route(path, endpoint.respond, methods=others, include_in_schema=False)
        for path, dialog in surface.sockets:
            app.add_api_websocket_route(path, SocketEndpoint(dialog, draining, cors_origins, surface.admission).serve)
    unknown = [
        (
            surface.prefix,
            Endpoint(
                surface.dialect,
                {},
                template="unknown",
                largest_body=largest_body,
                draining=draining,
                meter=meter_of("none", "unknown"),
            ),
        )
        for surface in sorted(surfaces, key=lambda surface: len(surface.prefix), reverse=True)
    ]

    async def no_operation(request: Request, error: Exception) -> Response:
        # The router raises 404 for a path that it does not know, 405 for a method that the path's route does not.
        matched = request.scope.get("route")
        if isinstance(error, HTTPException) and error.status_code == 405 and matched is not None:
            endpoint = endpoints[matched.path]
            return endpoint.refuse(request, MethodNotAllowed(endpoint.methods))
        path = request.scope["path"]
        fitting = next((endpoint for prefix, endpoint in unknown if path.startswith(prefix)), unknown[-1][1])
        return fitting.refuse(request, UnknownRoute())

    app.add_exception_handler(HTTPException, no_operation)
    allow_origins(app, cors_origins)
    return app
