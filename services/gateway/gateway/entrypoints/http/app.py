"""The ASGI application of the gateway: the paths of all dialects in one router. Built by `bootstrap`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from gateway.entrypoints.http.endpoint import Dialect, Draining, Endpoint, Handlers


@dataclass(frozen=True)
class Surface:
    """One dialect and its operations, by path. Order counts: the first path that matches is taken."""

    dialect: Dialect
    paths: Sequence[tuple[str, Handlers]]
    """Path templates as `/v1/threads/{thread_id}`, each with the handlers of its methods."""


def build_app(surfaces: Sequence[Surface], *, largest_body: int, draining: Draining) -> ASGIApp:
    """Return the application. A path that no dialect knows is refused in the words of the first one."""
    settings: dict[str, Any] = {"largest_body": largest_body, "draining": draining}
    routes = [
        Route(path, Endpoint(surface.dialect, handlers, template=path, **settings))
        for surface in surfaces
        for path, handlers in surface.paths
    ]
    unknown = Endpoint(surfaces[0].dialect, {}, template="unknown", **settings)
    return Router(routes, redirect_slashes=False, default=unknown)
