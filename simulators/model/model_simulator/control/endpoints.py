"""The control paths. They ask for no key: the simulator listens on loopback, or where only tests and demos reach it."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_simulator.control.scripted_reply import Script
from model_simulator.control.state import ControlState
from model_simulator.reply.plan import Pace

_LONGEST_WAIT = 120.0


class Awaited(BaseModel):
    """The query of GET /control/wait: all that is given must hold at once.

    requests: so many were seen. finished, client_gone, cut, refused: so many ended that way. in_flight: so many are
    being answered. idle: none is. gate (with waiting, 1): so many wait at it. pieces: a reply in flight sent so many.
    """

    model_config = ConfigDict(extra="forbid")

    requests: int = 0
    in_flight: int = 0
    finished: int = 0
    client_gone: int = 0
    cut: int = 0
    refused: int = 0
    pieces: int = 0
    idle: bool = False
    gate: str | None = None
    waiting: int = 1
    timeout: float = Field(10.0, ge=0, le=_LONGEST_WAIT)

    def holds(self, state: ControlState) -> bool:
        """Tell whether it is so."""
        log = state.log
        return (
            log.total >= self.requests
            and log.states["in_flight"] >= self.in_flight
            and log.states["finished"] >= self.finished
            and log.states["client_gone"] >= self.client_gone
            and log.states["cut"] >= self.cut
            and log.states["refused"] >= self.refused
            and log.most_pieces_in_flight() >= self.pieces
            and not (self.idle and log.states["in_flight"])
            and (self.gate is None or state.gates.waiting_at(self.gate) >= self.waiting)
        )


class PaceChange(BaseModel):
    """The body of POST /control/pace; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    tokens_per_second: float | None = Field(None, ge=0)
    first_token_seconds: float | None = Field(None, ge=0)


class ControlEndpoints:
    """The handlers, over one state."""

    def __init__(self, state: ControlState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes under /control."""
        return [
            Route("/control/script", _checked(self.add_script), methods=["POST"]),
            Route("/control/script", self.show_script, methods=["GET"]),
            Route("/control/script", self.clear_script, methods=["DELETE"]),
            Route("/control/release/{gate}", _checked(self.release), methods=["POST"]),
            Route("/control/requests", self.show_requests, methods=["GET"]),
            Route("/control/wait", _checked(self.wait), methods=["GET"]),
            Route("/control/pace", _checked(self.change_pace), methods=["POST"]),
            Route("/control/reset", self.reset, methods=["POST"]),
        ]

    async def add_script(self, request: Request) -> Response:
        """Append replies: `{"replies": […]}` -> `{"queued": n}`."""
        script = Script.model_validate_json(await request.body())
        return _json({"queued": self._state.script.add(script.replies)})

    async def show_script(self, _request: Request) -> Response:
        """Return the replies that are still queued."""
        return _json({"replies": self._state.script.view()})

    async def clear_script(self, _request: Request) -> Response:
        """Drop the replies that are still queued."""
        self._state.script.clear()
        return _json({"queued": 0})

    async def release(self, request: Request) -> Response:
        """Open a gate for good, or with `?count=n` for the first n that wait: `{"released": n}`."""
        count = request.query_params.get("count")
        released = self._state.gates.release(request.path_params["gate"], None if count is None else int(count))
        return _json({"released": released})

    async def show_requests(self, _request: Request) -> Response:
        """Return counts by state and by key, the latest requests, and the gates."""
        return _json(self._view())

    async def wait(self, request: Request) -> Response:
        """Return the same as soon as the query holds (200), or when its timeout is over (408)."""
        awaited = Awaited.model_validate(dict(request.query_params))
        came = await self._state.changes.wait_until(lambda: awaited.holds(self._state), awaited.timeout)
        return _json(self._view(), 200 if came else 408)

    async def change_pace(self, request: Request) -> Response:
        """Set the pace for the requests from now on."""
        change = PaceChange.model_validate_json(await request.body())
        now = self._state.pace
        self._state.pace = Pace(
            now.tokens_per_second if change.tokens_per_second is None else change.tokens_per_second,
            now.first_token_seconds if change.first_token_seconds is None else change.first_token_seconds,
        )
        pace = self._state.pace
        return _json({"tokens_per_second": pace.tokens_per_second, "first_token_seconds": pace.first_token_seconds})

    async def reset(self, _request: Request) -> Response:
        """Forget script, gates, log and pace; held replies go on."""
        self._state.reset()
        return _json({"queued": 0})

    def _view(self) -> dict[str, Any]:
        return {**self._state.log.view(), "gates": self._state.gates.view()}


def _checked(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            return _json({"error": {"message": "; ".join(problems)}}, 400)
        except ValueError as error:
            return _json({"error": {"message": str(error)}}, 400)

    return answer


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")
