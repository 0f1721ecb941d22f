"""House rules of a schema that JSON Schema itself does not ask for. Called by `check` and the tests.

They keep three promises: every field says what it means, objects stay open, and vocabularies can grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema_rs import meta

from message_contracts.schemas import Schema, SchemaSet

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CLOSING = ("unevaluatedProperties", "propertyNames", "maxProperties")


def broken_rules(schemas: SchemaSet) -> Iterator[str]:
    """One line for each broken rule, naming the schema and the place in it."""
    for type_, schema in schemas.messages.items():
        _, *name, major = type_.split(".")
        id_ = f"urn:threadworks:contracts:messages:{'.'.join(name)}:{major}"
        yield from _of_file(schema, id_)
        yield from _unknown_references(schema, schemas, id_)
    for id_, schema in schemas.definitions.items():
        yield from _of_file(schema, id_)
        yield from _unknown_references(schema, schemas, id_)


def _of_file(schema: Schema, id_: str) -> Iterator[str]:
    if schema.get("$schema") != _DIALECT or schema.get("$id") != id_:
        yield f"{id_}: $schema is not 2020-12 or $id does not follow the folder"
    elif not meta.is_valid(schema):
        yield f"{id_}: is not a JSON Schema"
    if not schema.get("description"):
        yield f"{id_}: has no description"
    for line in _of_node(schema, ""):
        yield f"{id_}{line}"


def _unknown_references(node: Any, schemas: SchemaSet, id_: str) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("$ref", next(iter(schemas.definitions))) not in schemas.definitions:
            yield f"{id_}: refers to {node['$ref']}, which no file under definitions/ is"
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _unknown_references(part, schemas, id_)


def _of_node(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _of_node(item, f"{path}/{index}")
    if not isinstance(node, dict):
        return
    if node.get("additionalProperties") is False or any(keyword in node for keyword in _CLOSING):
        yield f" {path or '/'}: closes the object; consumers must be able to ignore fields they do not know"
    if "enum" in node:
        yield f" {path or '/'}: enum; use x-extensible-enum, or consumers refuse every later addition"
    if _declares_fields(node) and not node.get("title"):
        yield f" {path or '/'}: object without a title; its generated model would have no name"
    for name, part in node.items():
        if name == "properties":
            yield from _of_properties(node, path)
        elif name not in ("const", "examples", "x-extensible-enum"):
            yield from _of_node(part, f"{path}/{name}")


def _of_properties(node: Schema, path: str) -> Iterator[str]:
    for name, part in node["properties"].items():
        if _declares_fields(node) and not part.get("description"):
            yield f" {path}/{name}: has no description"
        yield from _of_node(part, f"{path}/{name}")


def _declares_fields(node: Schema) -> bool:
    # Properties beside a $ref, or without a type as under `if`, only narrow what is declared elsewhere.
    return "properties" in node and "type" in node and "$ref" not in node
