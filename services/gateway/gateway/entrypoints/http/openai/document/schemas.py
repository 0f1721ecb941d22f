"""JSON schemas of the types that describe bodies and replies. Used by `openapi`."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

Schema = dict[str, Any]

_COMPONENTS: Final = "#/components/schemas/"


class Schemas:
    """The schemas of a document, as it grows."""

    def __init__(self) -> None:
        self._components: dict[str, Schema] = {}
        self._known: dict[Any, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type: for a model a reference to it."""
        if kind not in self._known:
            self._known[kind] = self._made(kind)
        return self._known[kind]

    def events(self, stream: Mapping[str, Any], title: str) -> Schema:
        """Return the schema of a stream's events, from the type of each one's data by its name."""
        events = [
            {
                "type": "object",
                "properties": {"event": {"const": name}, "data": self.of(kind)},
                "required": ["event", "data"],
            }
            for name, kind in stream.items()
        ]
        return self._add(title, {"oneOf": events})

    def components(self) -> dict[str, Schema]:
        """Return the schemas that are referred to, by name."""
        return dict(sorted(self._components.items()))

    def _made(self, kind: Any) -> Schema:
        schema = TypeAdapter(kind).json_schema(ref_template=f"{_COMPONENTS}{{model}}", schema_generator=_Plain)
        for name, inner in schema.pop("$defs", {}).items():
            self._add(name, inner)
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return schema
        # Of a generic model the name is `Listed[Thing]`.
        return self._add("".join(re.findall(r"\w+", kind.__name__)), schema)

    def _add(self, name: str, schema: Schema) -> Schema:
        if self._components.setdefault(name, schema) != schema:
            raise ValueError(f"two schemas have the name {name}")
        return {"$ref": f"{_COMPONENTS}{name}"}


class _Plain(GenerateJsonSchema):
    """Pydantic's schemas without what says nothing: titles that repeat names, and defaults that all are null."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        return self.generate_inner(schema["schema"])

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        described = super().model_schema(schema)
        described.pop("title", None)
        return described
