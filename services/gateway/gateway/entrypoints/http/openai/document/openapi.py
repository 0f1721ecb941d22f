"""Makes the OpenAPI document of what is served. Called by `surface`, once."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from gateway.entrypoints.http.openai.document.description import EVENTS, FORM, Content, Operation, Parameter, contents
from gateway.entrypoints.http.openai.document.objects import ErrorResponse
from gateway.entrypoints.http.openai.document.parameters import BETA, ID, IDEMPOTENCY_KEY
from gateway.entrypoints.http.openai.document.schemas import Schemas

EXTENSION: Final = "x-threadworks-extension"
"""Marks what OpenAI's API does not have."""
EACH: Final = "x-threadworks-each"
"""The schema of each line or event, for which OpenAPI 3.1 has no word."""

_ABOUT: Final = (
    "OpenAI's Assistants API, version 2, on an open server. What OpenAI's API does not have is marked with "
    f"`{EXTENSION}`. HEAD is answered wherever GET is. In a request, null means that a field is not given. "
    "Whoever sends `OpenAI-Beta: assistants=v1` gets the objects of version 1 instead; described are, of version 1, "
    "the operations that it alone has."
)
_ALWAYS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_FOR_POST: Final = (HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def openapi(
    served: Iterable[tuple[str, Iterable[str]]], operations: Mapping[str, Mapping[str, Operation]], version: str
) -> dict[str, Any]:
    """Return the document of the `served` paths and methods, as far as `operations` describes them."""
    schemas = Schemas()
    paths = {
        path: {
            method.lower(): _operation(path, method, operations[path][method], schemas)
            for method in methods
            if method in operations.get(path, {})
        }
        for path, methods in served
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Threadworks", "version": version, "description": _ABOUT},
        "paths": {path: described for path, described in paths.items() if described},
        "components": {
            "schemas": schemas.components(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _operation(path: str, method: str, told: Operation, schemas: Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": told.id,
        "summary": told.summary,
        "parameters": [_variable(name) for name in re.findall(r"{(\w+)}", path)]
        + [_parameter(each) for each in _parameters(method, told)],
        "responses": _responses(method, told, schemas),
    }
    if told.body is not None:
        bodies = contents(told.body)
        described["requestBody"] = {
            "required": any(_has_required(each.kind) for each in bodies),
            "content": {each.media_type: _media(each, schemas) for each in bodies},
        }
    if told.public:
        described["security"] = []
    if told.extension:
        described[EXTENSION] = True
    return described


def _parameters(method: str, told: Operation) -> Iterable[Parameter]:
    if told.public:
        return told.parameters
    return (*told.parameters, BETA[told.version], *([IDEMPOTENCY_KEY] if method == "POST" else []))


def _variable(name: str) -> dict[str, Any]:
    schema = ID if name.endswith("_id") else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameter(told: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": told.name,
        "in": told.place,
        "description": told.description,
        "schema": told.schema,
    }
    if told.style is not None:
        described["style"] = told.style
    if told.extension:
        described[EXTENSION] = True
    return described


def _responses(method: str, told: Operation, schemas: Schemas) -> dict[str, Any]:
    found = {HTTPStatus.OK: told.reply}
    if told.partial:
        found[HTTPStatus.PARTIAL_CONTENT] = told.reply
    if not told.public:
        statuses = (*_ALWAYS, *_FOR_POST) if method == "POST" else _ALWAYS
        found |= dict.fromkeys(statuses, ErrorResponse) | dict(told.refusals)
    return {
        str(status.value): {
            "description": status.phrase,
            "content": {each.media_type: _media(each, schemas) for each in contents(reply)},
        }
        for status, reply in sorted(found.items())
    }


def _media(told: Content, schemas: Schemas) -> dict[str, Any]:
    if told.one_of_many:
        each = schemas.events(told.kind, told.title) if told.media_type == EVENTS else schemas.of(told.kind)
        return {"schema": {"type": "string"}, EACH: each}
    media = {"schema": schemas.of(told.kind)}
    if told.media_type == FORM:
        # As `expires_after[seconds]`.
        media["encoding"] = {"expires_after": {"style": "deepObject", "explode": True}}
    return media


def _has_required(kind: Any) -> bool:
    fields = getattr(kind, "model_fields", {})
    return any(field.is_required() for field in fields.values())
