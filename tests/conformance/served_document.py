"""Holds replies to the document that the server describes itself with (`/openapi.json`).

Suites hang `ServedDocument.sees_async` into their HTTP client as a response hook, or call `check`; at the end they
assert that `problems` is empty. The document leaves objects open, so that clients pass over what is new to them; here
the objects of replies are closed: what the server says of them has to be described.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import orjson
from conformance.event_stream import EventReader

EACH = "x-threadworks-each"
_OBJECTS = re.compile(
    r"ListOf\w+|\w+(Object|Deleted|List)|Error\w+|Import(Report|Refused)|Imported|RefusedObject|Reason"
)


class ServedDocument:
    """The document, compiled as far as it is needed, and what replies did against it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.problems: list[str] = []
        self.operations: set[tuple[str, str]] = set()
        """Those that were seen to succeed."""
        components = orjson.loads(orjson.dumps(document["components"]))
        for name, schema in components["schemas"].items():
            if _OBJECTS.fullmatch(name):
                schema.setdefault("additionalProperties", False)
        self._components = components
        self._validators: dict[str, Any] = {}
        # Of two paths that fit, the one with fewer variables is meant.
        self._routes = [
            (re.compile(re.sub(r"\\\{(\w+)\\\}", _value, re.escape(path))), path)
            for path in sorted(document["paths"], key=lambda path: path.count("{"))
        ]

    async def sees_async(self, response: httpx.Response) -> None:
        """Response hook of an asynchronous client."""
        content = await response.aread()
        request = response.request
        self.check(request.method, request.url.path, response.status_code, response.headers, content)

    def check(self, method: str, path: str, status: int, headers: Any, content: bytes) -> None:
        """Hold one reply to the document, and remember what is wrong with it."""
        media_type = headers.get("content-type", "").partition(";")[0]
        found = self._violations(method, path, status, media_type, content)
        self.problems += [f"{method} {path} {status} {media_type}: {problem}" for problem in found]

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any] | None]:
        """The template of a path, and the operation, if the document has one."""
        template = next((template for pattern, template in self._routes if pattern.fullmatch(path)), "")
        known = self.document["paths"].get(template, {})
        return template, known.get(method.lower()) if method.isupper() else None

    def _violations(self, method: str, path: str, status: int, media_type: str, content: bytes) -> Iterator[str]:
        if method == "HEAD":
            return
        template, operation = self.operation(method, path)
        if operation is None:
            # What is not described is not served: it has to be refused, and in the envelope.
            if status not in {404, 405}:
                yield "is not described"
            yield from self._differences({"$ref": "#/components/schemas/ErrorResponse"}, content)
            return
        if status < 400:
            self.operations.add((method, template))
        described = operation["responses"].get(str(status), {"content": {}})["content"].get(media_type)
        if described is None:
            yield "is not described"
        elif media_type == "text/event-stream":
            yield from self._event_differences(described[EACH], content, places=template == "/v1/events")
        elif EACH in described:
            for line in content.splitlines():
                yield from self._differences(described[EACH], line)
        elif media_type == "application/json":
            yield from self._differences(described["schema"], content)

    def _event_differences(self, schema: dict[str, Any], content: bytes, *, places: bool) -> Iterator[str]:
        reader = EventReader(places=places)
        for event in reader.feed(content):
            data = event.data if event.name == "done" else orjson.loads(event.data)
            yield from self._differences(schema, orjson.dumps({"event": event.name, "data": data}))
        yield from reader.problems

    def _differences(self, schema: dict[str, Any], content: bytes) -> Iterator[str]:
        key = orjson.dumps(schema).decode()
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.Draft202012Validator({**schema, "components": self._components})
        try:
            value = orjson.loads(content)
        except orjson.JSONDecodeError:
            yield f"no JSON: {content[:80]!r}"
            return
        for error in self._validators[key].iter_errors(value):
            yield f"{'.'.join(map(str, error.instance_path))}: {error.message[:400]}"


def _value(variable: re.Match[str]) -> str:
    # Names of models may have slashes.
    return ".*" if variable[1] == "model" else "[^/]*"
