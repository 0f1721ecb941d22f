"""One flat schema out of a schema and everything it refers to. Called by the compatibility check.

`$ref` and `allOf` are dissolved: what several parts demand of one value is joined into one demand. So it does not
matter to the comparison in which file a field is declared, and a change inside a definition is seen in every message
that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from message_contracts.schemas import Schema

ANNOTATIONS = frozenset(
    {"$schema", "$id", "$comment", "title", "description", "examples", "default", "deprecated", "readOnly", "writeOnly"}
)
"""Keywords that never make a value valid or invalid."""

AT_LEAST = ("minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum", "minContains")
AT_MOST = ("maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum", "maxContains", "x-max-bytes")
ONE_SCHEMA = ("items", "additionalProperties", "propertyNames", "contains", "not", "unevaluatedProperties")
WORD_LISTS = ("enum", "x-extensible-enum")
CONDITION = ("if", "then", "else")


def resolve(schema: Any, definitions: Mapping[str, Schema], within: tuple[str, ...] = ()) -> Schema:
    """The flat schema. A list of values under a keyword that normally has one means: each of them holds.

    Raises KeyError for a `$ref` that is not in definitions, ValueError for one that leads back to itself.
    """
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    flat: Schema = {}
    for keyword, value in schema.items():
        if keyword == "$ref":
            if value in within:
                raise ValueError(f"{value} refers to itself")
            _join(flat, resolve(definitions[value], definitions, (*within, value)))
        elif keyword == "allOf":
            for part in value:
                _join(flat, resolve(part, definitions, within))
        elif keyword in ONE_SCHEMA and value in (True, {}):
            continue  # demands nothing, as if it were absent
        elif keyword not in ANNOTATIONS and keyword not in CONDITION:
            _join(flat, {keyword: _resolved_value(keyword, value, definitions, within)})
    if "if" in schema:
        condition = {key: resolve(schema[key], definitions, within) for key in CONDITION if key in schema}
        _join(flat, {"conditions": [condition]})
    return flat


def _resolved_value(keyword: str, value: Any, definitions: Mapping[str, Schema], within: tuple[str, ...]) -> Any:
    if keyword in ("properties", "patternProperties", "dependentSchemas"):
        return {name: resolve(part, definitions, within) for name, part in value.items()}
    if keyword in ONE_SCHEMA:
        return value if isinstance(value, bool) else resolve(value, definitions, within)
    if keyword in ("anyOf", "oneOf", "prefixItems"):
        # A group of branches; several parts that are joined may each bring one.
        return [[resolve(part, definitions, within) for part in value]]
    if keyword == "type":
        return sorted([value] if isinstance(value, str) else value)
    joinable = keyword in AT_LEAST or keyword in AT_MOST or keyword in WORD_LISTS or keyword == "required"
    return value if joinable else [value]


def _join(flat: Schema, other: Schema) -> None:
    for keyword, value in other.items():
        flat[keyword] = _joined(keyword, flat[keyword], value) if keyword in flat else value


def _joined(keyword: str, left: Any, right: Any) -> Any:
    joiners: dict[str, Callable[[Any, Any], Any]] = {
        "type": lambda a, b: sorted(_both_types(a, b)),
        "required": lambda a, b: [*a, *(name for name in b if name not in a)],
        "properties": _joined_properties,
        **dict.fromkeys(AT_LEAST, max),
        **dict.fromkeys(AT_MOST, min),
        **dict.fromkeys(WORD_LISTS, lambda a, b: [word for word in a if word in b]),
    }
    if keyword in joiners:
        return joiners[keyword](left, right)
    if left == right:
        return left
    if isinstance(left, dict) and isinstance(right, dict):
        joined = dict(left)
        _join(joined, right)
        return joined
    if isinstance(left, bool) or isinstance(right, bool):
        return False if False in (left, right) else (right if left is True else left)
    return [*left, *(item for item in right if item not in left)]


def _both_types(left: list[str], right: list[str]) -> set[str]:
    both = set(left) & set(right)
    # Every integer is a number.
    if "integer" in {*left, *right} and "number" in {*left, *right}:
        both.add("integer")
    return both


def _joined_properties(left: Schema, right: Schema) -> Schema:
    joined = dict(left)
    for name, part in right.items():
        joined[name] = dict(joined.get(name, {}))
        _join(joined[name], part)
    return joined
