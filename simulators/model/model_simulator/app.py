"""The ASGI application: the completions directly, everything else through Starlette."""

from collections.abc import Awaitable, Callable

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from model_simulator.completions import ChatCompletions
from model_simulator.control.endpoints import ControlEndpoints
from model_simulator.control.state import ControlState
from model_simulator.request.refusals import Refusal
from model_simulator.settings import SimulatorSettings

WHAT_IT_IS = "threadworks-model-simulator"
# The date that the models list shows: when this simulator was first written.
_CREATED = 1_795_478_400
_COMPLETIONS = "/v1/chat/completions"


def create_app(settings: SimulatorSettings, state: ControlState | None = None) -> ASGIApp:
    """Build the application. Replies can be cut only under `ModelSimulator`, whose HTTP protocol knows how to."""
    state = state or ControlState(settings)
    completions = ChatCompletions(state, context_tokens=settings.context_tokens, largest_body=settings.largest_body)
    other = Starlette(
        routes=[
            Route("/", _introduction, methods=["GET"]),
            Route("/v1/models", _models(settings.model), methods=["GET"]),
            Route("/v1/models/{model:path}", _model, methods=["GET"]),
            *ControlEndpoints(state).routes(),
        ],
        exception_handlers={HTTPException: _refuse},
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # The path that benchmarks load takes no detour through routing and middleware.
        if scope["type"] == "http" and scope["path"] == _COMPLETIONS and scope["method"] == "POST":
            await completions.answer(scope, receive, send)
        else:
            await other(scope, receive, send)

    return app


async def _introduction(_request: Request) -> Response:
    return _json(
        {
            "service": WHAT_IT_IS,
            "what": "A simulator of an OpenAI-compatible model for demos, tests and benchmarks. It is not a language "
            "model: it answers by rules, from nothing but the messages it receives.",
            "completions": f"POST {_COMPLETIONS}",
            "control": "/control/script, /control/release/{gate}, /control/requests, /control/wait, /control/pace, "
            "/control/reset",
        }
    )


def _models(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def models(_request: Request) -> Response:
        return _json({"object": "list", "data": [_described(name)]})

    return models


async def _model(request: Request) -> Response:
    return _json(_described(request.path_params["model"]))


def _described(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": WHAT_IT_IS}


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer an unknown path or a wrong method in OpenAI's envelope."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    method, path = request.method, request.url.path
    message = f"Not allowed to {method} on {path}." if status == 405 else f"Invalid URL ({method} {path})"
    return Response(Refusal.of(status, message).body, status_code=status, media_type="application/json")


def _json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
