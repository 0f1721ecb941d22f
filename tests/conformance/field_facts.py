"""Holds every reply of a suite to the field facts of the OpenAI API (`openai-assistants.json`, beside this file).

Suites hang `FieldFacts.sees` (or `sees_async`) into their HTTP client as a response hook, or run their clients through
the recording proxy (`tests/recording_proxy.py`); at the end they assert that `problems` is empty. `operations` tells
which ones were seen to succeed.

The facts are an OpenAPI 3.1 document. Two readings of it are ours: `nullable: true` means "or null", as it did in
OpenAPI 3.0, and the ids of an empty page are null, as the API sent them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import orjson
from conformance.stream_facts import StreamFacts
from conformance.stream_order import Beginning

DOCUMENT = Path(__file__).with_name("openai-assistants.json")
# What apps of the Assistants API use besides (models, as the official SDK reads them), and our list of threads.
OTHER_OBJECTS = Path(__file__).with_name("other-objects.json")
_METHODS = ("get", "post", "delete")
_STREAM = "text/event-stream"
_BEGINNINGS: tuple[tuple[str, Beginning], ...] = (
    ("/threads/runs", "thread"),
    ("/runs", "run"),
    ("/submit_tool_outputs", "outputs"),
)


class FieldFacts:
    """The facts, compiled once, and what was found with them. `prefix` stands before the paths of the document."""

    def __init__(self, *, prefix: str = "/v1", document: Path = DOCUMENT) -> None:
        facts, others = orjson.loads(document.read_bytes()), orjson.loads(OTHER_OBJECTS.read_bytes())
        for path, operations in others["paths"].items():
            facts["paths"].setdefault(path, {}).update(operations)
        facts["components"]["schemas"] |= others["components"]["schemas"]
        self._components = _read_nullable(facts["components"])
        for name, schema in self._components["schemas"].items():
            if re.fullmatch(r"List\w+Response", name):
                _let_ids_of_empty_pages_be_null(schema)
        self._routes = [
            (re.compile(re.escape(prefix) + re.sub(r"\\\{(\w+)\\\}", _value, re.escape(path))), path, operations)
            for path, operations in sorted(facts["paths"].items(), key=lambda item: item[0].count("{"))
        ]
        self._event_schemas = dict(_event_schemas(facts["components"]["schemas"]))
        self._validators: dict[str, Any] = {}
        self.problems: list[str] = []
        self.operations: set[tuple[str, str]] = set()

    def sees(self, response: httpx.Response) -> None:
        """Response hook of a synchronous client."""
        response.read()
        self._check_response(response)

    async def sees_async(self, response: httpx.Response) -> None:
        """Response hook of an asynchronous client."""
        await response.aread()
        self._check_response(response)

    def _check_response(self, response: httpx.Response) -> None:
        method, path = response.request.method, response.request.url.path
        if response.headers.get("content-type", "").startswith(_STREAM):
            stream = self.stream(method, path)
            stream.feed(response.content)
            stream.end()
            self.problems += stream.problems
        else:
            self.check(method, path, response.status_code, response.content)

    def stream(self, method: str, path: str) -> StreamFacts:
        """Begin to hold a streamed reply to the facts. Its problems are its own until whoever feeds it takes them."""
        beginning = None
        if method == "POST":
            self.operations.add((method, self._operation(method, path)[0]))
            beginning = next(begins for end, begins in _BEGINNINGS if path.endswith(end))
        return StreamFacts(self._event_schemas, self.violations, beginning)

    def check(self, method: str, path: str, status: int, content: bytes) -> None:
        """Validate one reply, and remember what is wrong with it."""
        if method == "HEAD":
            return
        schema: str | None = "ErrorResponse"
        if status < 400:
            template, schema = self._operation(method, path)
            self.operations.add((method, template))
        if schema is None:
            return
        self.problems += [f"{method} {path} {status}: {problem}" for problem in self.violations(schema, content)]

    def violations(self, schema: str, content: bytes) -> list[str]:
        """Return where `content` differs from the named schema of the document."""
        try:
            value = orjson.loads(content)
        except orjson.JSONDecodeError:
            return [f"no JSON: {content[:80]!r}"]
        if schema not in self._validators:
            self._validators[schema] = jsonschema_rs.Draft202012Validator(
                {"$ref": f"#/components/schemas/{schema}", "components": self._components}
            )
        found = self._validators[schema].iter_errors(value)
        return [f"{schema}.{'.'.join(map(str, error.instance_path))}: {error.message}" for error in found]

    def _operation(self, method: str, path: str) -> tuple[str, str | None]:
        """The template of the path and the schema of the reply; None where that is no object (a file's content)."""
        for pattern, template, operations in self._routes:
            operation = operations.get(method.lower())
            if operation is not None and pattern.fullmatch(path):
                described = operation["responses"]["200"]["content"]["application/json"]["schema"]
                return template, described["$ref"].rpartition("/")[2] if "$ref" in described else None
        raise LookupError(f"the field facts know no operation {method} {path}")

    def known_operations(self) -> Iterator[tuple[str, str]]:
        """Every (method, path) of the document."""
        for _, template, operations in self._routes:
            yield from ((method.upper(), template) for method in _METHODS if method in operations)


def _value(variable: re.Match[str]) -> str:
    # Names of models may have slashes.
    return ".+" if variable[1] == "model" else "[^/]+"


def _event_schemas(schemas: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every event of a stream that has an object as its payload, with the schema of that."""
    for each in schemas["AssistantStreamEvent"]["oneOf"]:
        described = schemas[each["$ref"].rpartition("/")[2]]
        for event in described.get("oneOf", [described]):
            data, names = event["properties"]["data"], event["properties"]["event"]["enum"]
            if "$ref" in data:
                yield from ((name, data["$ref"].rpartition("/")[2]) for name in names)
    # The document says `Error`, and no SDK reads that: they look for the envelope of every other error.
    yield "error", "ErrorResponse"


def _read_nullable(node: Any) -> Any:
    """Return the schema with every `nullable: true` spelt out as JSON Schema."""
    if isinstance(node, list):
        return [_read_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    read = {key: _read_nullable(value) for key, value in node.items() if key != "nullable"}
    if node.get("nullable") is True and read:
        return {"anyOf": [read, {"type": "null"}]}
    parts = node.get("allOf")
    if isinstance(parts, list) and {"nullable": True} in parts:
        read["allOf"] = [_read_nullable(part) for part in parts if part != {"nullable": True}]
        return {"anyOf": [read, {"type": "null"}]}
    return read


def _let_ids_of_empty_pages_be_null(schema: Any) -> None:
    empty = {"properties": {"data": {"maxItems": 0}, "first_id": {"type": "null"}, "last_id": {"type": "null"}}}
    full = {"properties": {name: schema["properties"].pop(name) for name in ("first_id", "last_id")}}
    schema["anyOf"] = [full, empty]
