"""The schema files, compiled. The codec asks for one contract by message type; `check` and `generate` read the files.

Nothing is read at import: the files are read on first use, and each type is compiled the first time it is met.

Each schema has two views. A **consumer** validates with the schema as it is published. A **producer** is stricter: the
keyword `x-extensible-enum`, which standard validators ignore, counts as `enum`. So vocabularies can grow inside a major
without one consumer refusing the new word, and yet nobody can publish a word that is not in the contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from jsonschema_rs import Draft202012, Draft202012Validator, Registry

from message_contracts.violations import describe, violations

Schema: TypeAlias = dict[str, Any]

PACKAGE = Path(__file__).parent
MESSAGES = "messages"
DEFINITIONS = "definitions"


@dataclass(frozen=True, slots=True)
class Contract:
    """What the codec needs of one message type."""

    type: str
    dataschema: str
    """`$id` of the schema; goes out as `ce_dataschema`."""
    tenant_required: bool
    byte_limits: tuple[tuple[tuple[str, ...], int], ...]
    """(path of property names, most UTF-8 bytes) of each text with `x-max-bytes`."""
    producer: Draft202012Validator
    consumer: Draft202012Validator
    property_names: frozenset[str]
    """All names that schemas declare; any other key in a message is payload."""

    def produced_violation(self, data: object) -> str | None:
        """Why a producer must not publish `data`, or None when it may. Holds no payload text."""
        return self._violation(self.producer, data)

    def consumed_violation(self, data: object) -> str | None:
        """Why a consumer cannot use `data`, or None when it can. Holds no payload text."""
        return self._violation(self.consumer, data)

    def _violation(self, validator: Draft202012Validator, data: object) -> str | None:
        if not validator.is_valid(data):
            return describe(violations(validator.iter_errors(data)), self.property_names)
        for path, limit in self.byte_limits:
            if _longer_than(limit, data, path):
                return f"/{'/'.join(path)}: longer than {limit} bytes"
        return None


class SchemaSet:
    """All schema files of one folder that holds `messages/` and `definitions/`.

    The package itself is one; `released/` is another, for the compatibility check.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @cached_property
    def messages(self) -> dict[str, Schema]:
        """Message type (`threadworks.run.queued.v1`) → schema as written."""
        return {f"threadworks.{name}.{major}": schema for name, major, schema in self._read(MESSAGES)}

    @cached_property
    def definitions(self) -> dict[str, Schema]:
        """`$id` → schema as written, of everything that message schemas refer to."""
        return {str(schema["$id"]): schema for _, _, schema in self._read(DEFINITIONS)}

    def _read(self, kind: str) -> Iterator[tuple[str, str, Schema]]:
        for path in sorted(self._root.glob(f"{kind}/*/v*.schema.json")):
            yield path.parent.name, path.name.removesuffix(".schema.json"), orjson.loads(path.read_bytes())

    @cached_property
    def _registry(self) -> Registry:
        return Registry(list(self.definitions.items()), draft=Draft202012)

    @cached_property
    def _producer_registry(self) -> Registry:
        strict = [(id_, producer_view(schema)) for id_, schema in self.definitions.items()]
        return Registry(strict, draft=Draft202012)

    @cached_property
    def _property_names(self) -> frozenset[str]:
        names: set[str] = set()
        for schema in (*self.messages.values(), *self.definitions.values()):
            names.update(_declared_names(schema))
        return frozenset(names)

    def compile(self, type_: str) -> Contract:
        """Compile one type. Raises KeyError for a type that is not in this set."""
        schema = self.messages[type_]
        return Contract(
            type=type_,
            dataschema=str(schema["$id"]),
            tenant_required=not schema.get("x-without-tenant", False),
            byte_limits=tuple(_byte_limits(schema)),
            producer=_compiled(producer_view(schema), self._producer_registry),
            consumer=_compiled(schema, self._registry),
            property_names=self._property_names,
        )


@cache
def current() -> SchemaSet:
    """The schemas of this package, read once a process."""
    return SchemaSet(PACKAGE)


_compiled_contracts: dict[str, Contract] = {}


def contract(type_: str) -> Contract | None:
    """The contract of a message type, compiled once; None when the type or its major is unknown here."""
    found = _compiled_contracts.get(type_)
    if found is None and type_ in current().messages:
        found = _compiled_contracts[type_] = current().compile(type_)
    return found


def producer_view(schema: Schema) -> Schema:
    """A copy in which each `x-extensible-enum` is also an `enum`."""
    strict = {key: _strict(value) for key, value in schema.items()}
    if isinstance(strict.get("x-extensible-enum"), list):
        strict["enum"] = strict["x-extensible-enum"]
    return strict


def _strict(node: Any) -> Any:
    if isinstance(node, dict):
        return producer_view(node)
    return [_strict(item) for item in node] if isinstance(node, list) else node


def _compiled(schema: Schema, registry: Registry) -> Draft202012Validator:
    return Draft202012Validator(schema, registry=registry, validate_formats=True, offline=True)


def _declared_names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "properties" and isinstance(value, dict):
                yield from value
            yield from _declared_names(value)
    elif isinstance(node, list):
        for item in node:
            yield from _declared_names(item)


def _byte_limits(schema: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    if "x-max-bytes" in schema:
        yield path, int(schema["x-max-bytes"])
    for name, part in schema.get("properties", {}).items():
        yield from _byte_limits(part, (*path, name))


def _longer_than(limit: int, data: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    # One code point takes at most four bytes, so that short texts, the usual case, need no encoding.
    return isinstance(data, str) and len(data) * 4 > limit and len(data.encode()) > limit
