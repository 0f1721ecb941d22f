"""The schemas as they stand in the AsyncAPI document: together in one place, and in the dialect that its tools know.

That is JSON Schema draft 7, where whatever stands beside a `$ref` is not looked at and `dependentRequired` has another
name. Used by `asyncapi`.
"""

from __future__ import annotations

from typing import Any, Final

from message_contracts.schemas import Schema, SchemaSet

_URN: Final = "urn:threadworks:contracts:"
# The document says once for all what these say, and an $id would lead references out of it.
_DROPPED: Final = ("$schema", "$id")
# Keywords whose members are named by whoever wrote the schema.
_BY_NAME: Final = ("properties", "patternProperties")
# Keywords whose values are no schemas.
_VALUES: Final = ("const", "enum", "required", "dependentRequired", "x-extensible-enum", "examples", "default")

HEADERS: Final[Schema] = {
    "type": "object",
    "title": "CloudEvent headers",
    "description": "The attributes of every event; extensions and `traceparent` where they apply. All are UTF-8 text.",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "description": "The same when the event is published again: ignore what you know."},
        "ce_source": {"type": "string", "description": "Which part of Threadworks says so, as a path."},
        "ce_type": {"type": "string", "description": "Message type with its major version."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it happened, UTC."},
        "ce_subject": {"type": "string", "description": "The id of what it happened to."},
        "ce_dataschema": {"type": "string", "description": "The schema of the value."},
        "ce_tenant": {"type": "string", "description": "Whose it is."},
        "ce_seq": {"type": "string", "pattern": "^[0-9]{1,10}$", "description": "Counts the events of one run."},
        "ce_attempt": {"type": "string", "pattern": "^[0-9]{1,10}$", "description": "The attempt at the run."},
        "ce_correlationid": {"type": "string", "description": "The id of the run."},
        "ce_causationid": {"type": "string", "description": "The event that led to this one."},
        "traceparent": {"type": "string", "description": "W3C trace context."},
        "content-type": {"type": "string", "const": "application/json"},
    },
}


def embedded(schemas: SchemaSet) -> dict[str, Schema]:
    """Every schema under the name that `component` refers to it by."""
    return {
        _name(schema["$id"]): _converted(schema)
        for schema in sorted((*schemas.messages.values(), *schemas.definitions.values()), key=lambda each: each["$id"])
    }


def component(urn: str) -> str:
    """The reference to a schema in the document, by its `$id`."""
    return f"#/components/schemas/{_name(urn)}"


def _name(urn: str) -> str:
    return urn.removeprefix(_URN).replace(":", ".")


def _converted(part: Any) -> Any:
    if isinstance(part, list):
        return [_converted(each) for each in part]
    if not isinstance(part, dict):
        return part
    converted: Schema = {}
    for keyword, value in part.items():
        if keyword in _DROPPED or keyword == "$ref":
            continue
        if keyword in _BY_NAME:
            converted[keyword] = {name: _converted(each) for name, each in value.items()}
        elif keyword == "dependentRequired":
            converted["dependencies"] = value
        else:
            converted[keyword] = value if keyword in _VALUES else _converted(value)
    if "$ref" not in part:
        return converted
    reference: Schema = {"$ref": component(part["$ref"])}
    if not converted:
        return reference
    return {**converted, "allOf": [reference, *converted.get("allOf", [])]}
