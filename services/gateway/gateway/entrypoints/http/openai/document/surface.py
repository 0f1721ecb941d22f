"""Serves the document at `/openapi.json`, without a key. Called by `bootstrap`."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import orjson

from gateway.entrypoints.http.app import Surface
from gateway.entrypoints.http.exchange import Call, Headers, Reply
from gateway.entrypoints.http.openai.document.openapi import openapi
from gateway.entrypoints.http.openai.document.operations import OPERATIONS
from gateway.entrypoints.http.openai.refusals import refusal_of

_PATH: Final = "/openapi.json"


class _OpenToAll:
    """The dialect of what anybody may know."""

    async def tenant_of(self, headers: Headers) -> str:
        return ""

    def refuse(self, error: Exception, method: str, path: str) -> Reply:
        return refusal_of(error, method, path).reply()


def described(surfaces: Sequence[Surface]) -> list[Surface]:
    """Return the surfaces, and one more with the document that describes them and itself."""
    served = [(_described(path), tuple(handlers)) for surface in surfaces for path, handlers in surface.paths]
    document = orjson.dumps(openapi([*served, (_PATH, ("GET",))], OPERATIONS, version("gateway")))

    async def retrieve(_: Call) -> Reply:
        return Reply(200, document)

    return [*surfaces, Surface(_OpenToAll(), [(_PATH, {"GET": retrieve})])]


def _described(path: str) -> str:
    # Starlette's word for a variable with slashes means nothing to OpenAPI.
    return path.replace(":path}", "}")
