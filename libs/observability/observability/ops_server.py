"""The ops port of a service: /healthz, /readyz and /metrics, apart from the port its users see.

Built by each service's `__main__` (and once by `threadworks run`); read by Kubernetes, Prometheus and `threadworks up`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import orjson
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from observability.embedded_server import EmbeddedServer
from observability.metrics import Meters

Checks = Mapping[str, Callable[[], str | None]]


class OpsServer:
    """Answers GET on three paths, from `start()` to `stop()`.

    * `/healthz` - 200 `{"status": "ok"}`, or 503 `{"status": "failing", "failing": {name: reason}}` with every check of
      `alive` that returned a reason: only a new process helps. That it answers at all says that the event loop turns.
    * `/readyz` - 200 `{"missing": {}}`, or 503 `{"missing": {name: reason}}` with every one of `checks` that returned a
      reason.
    * `/metrics` - what is in `meters`, in Prometheus' text format, or OpenMetrics when asked for.

    A check is called on each request, must not block, and returns None when all is well.

    `port` 0 takes any free one; `port` tells which after `start()`.
    """

    def __init__(
        self,
        port: int,
        checks: Checks,
        host: str = "127.0.0.1",
        *,
        alive: Checks = MappingProxyType({}),
        meters: Meters | None = None,
    ) -> None:
        self._checks = checks
        self._host = host
        self._alive = alive
        self._meters = Meters() if meters is None else meters
        routes = [
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
        ]
        self._server = EmbeddedServer(Starlette(routes=routes), host=host, port=port, drain_seconds=2)

    @property
    def port(self) -> int:
        """The port listened on; after `start()` the real one."""
        return self._server.port

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be bound; its text names the settings."""
        try:
            await self._server.start()
        except OSError as error:
            where = f"{self._host}:{self._server.port} cannot be listened on ({error.strerror or error})"
            raise OSError(f"{where}: set THREADWORKS_OPS_HOST or THREADWORKS_OPS_PORT") from error

    async def stop(self) -> None:
        """Stop listening and close all connections. Safe to call twice."""
        await self._server.stop()

    async def _healthz(self, _request: Request) -> Response:
        failing = _reasons(self._alive)
        if failing:
            return _json({"status": "failing", "failing": failing}, status=503)
        return _json({"status": "ok"})

    async def _readyz(self, _request: Request) -> Response:
        missing = _reasons(self._checks)
        return _json({"missing": missing}, status=503 if missing else 200)

    async def _metrics(self, request: Request) -> Response:
        await self._meters.refresh()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._meters.registry), headers={"content-type": content_type})


def _reasons(checks: Checks) -> dict[str, str]:
    reasons = {name: _ask(check) for name, check in checks.items()}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _ask(check: Callable[[], str | None]) -> str | None:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a check that fails is an answer: not ready
        # Only the kind of error: its text may quote an address with credentials.
        return f"the check failed with {type(error).__name__}"


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")
