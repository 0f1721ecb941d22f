"""The FastAPI application of the gateway: the operations of all dialects on one router. Built by `bootstrap`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from gateway.entrypoints.http.endpoint import (
    Dialect,
    Draining,
    Endpoint,
    Handlers,
    MethodNotAllowed,
    RouteMeter,
    UnknownRoute,
)
from gateway.entrypoints.http.idempotency import KeyedRequests

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


def build_app(
    surfaces: Sequence[Surface], *, largest_body: int, draining: Draining, meter_of: MeterOf = uncounted
) -> FastAPI:
    """Return the application. A path that no dialect knows is refused in the words of the first one.

    `meter_of` gives what counts the replies of a path, from the name of its dialect and its template.
    """
    app = FastAPI(title="Threadworks", redirect_slashes=False, openapi_url=None)
    endpoints: dict[str, Endpoint] = {}
    for surface in surfaces:
        for path, handlers in surface.paths:
            endpoint = Endpoint(
                surface.exempt.get(path, surface.dialect),
                handlers,
                template=path,
                largest_body=largest_body,
                draining=draining,
                meter=meter_of(name_of(surface.dialect), path),
                keyed=surface.keyed,
            )
            endpoints[path] = endpoint
            app.add_api_route(path, endpoint.respond, methods=list(endpoint.methods), response_class=Response)
            # Other methods must not fall through to a later path that matches too: /threads/runs is no thread.
            others = [method for method in METHODS if method not in endpoint.methods]
            app.add_api_route(path, endpoint.respond, methods=others, include_in_schema=False)
    unknown = Endpoint(
        surfaces[0].dialect,
        {},
        template="unknown",
        largest_body=largest_body,
        draining=draining,
        meter=meter_of("none", "unknown"),
    )

    async def no_operation(request: Request, error: Exception) -> Response:
        # The router raises 404 for a path that it does not know, 405 for a method that the path's route does not.
        matched = request.scope.get("route")
        if isinstance(error, HTTPException) and error.status_code == 405 and matched is not None:
            endpoint = endpoints[matched.path]
            return endpoint.refuse(request, MethodNotAllowed(endpoint.methods))
        return unknown.refuse(request, UnknownRoute())

    app.add_exception_handler(HTTPException, no_operation)
    return app
