"""The house rules hold for every schema, and each was seen to fail."""

import copy
from typing import Any

import pytest
from message_contracts.schema_rules import broken_rules
from message_contracts.schemas import PACKAGE, SchemaSet, current

TYPE = "threadworks.tool-service.announced.v1"


def test_every_schema_keeps_the_rules() -> None:
    assert list(broken_rules(current())) == []


def broken_by(change: Any) -> list[str]:
    schemas = SchemaSet(PACKAGE)
    changed = copy.deepcopy(schemas.messages[TYPE])
    change(changed, changed["properties"]["service"])
    schemas.messages[TYPE] = changed
    return list(broken_rules(schemas))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda root, service: root.update({"$id": "urn:other"}), "$id does not follow the folder"),
        (lambda root, service: root.pop("$schema"), "$schema is not 2020-12"),
        (lambda root, service: root.update(type="thing"), "is not a JSON Schema"),
        (lambda root, service: root.pop("description"), "has no description"),
        (lambda root, service: root.pop("title"), "/: object without a title"),
        (lambda root, service: service.pop("title"), "/service: object without a title"),
        (lambda root, service: service["properties"]["name"].pop("description"), "/service/name: has no description"),
        (lambda root, service: service.update(additionalProperties=False), "/service: closes the object"),
        (lambda root, service: root.update(unevaluatedProperties=False), "/: closes the object"),
        (lambda root, service: service["properties"]["name"].update(enum=["moodle"]), "/service/name: enum; use"),
        (lambda root, service: service["properties"].update(owner={"$ref": "urn:x", "description": "x"}), "urn:x"),
    ],
)
def test_a_broken_rule_is_told(change: Any, told: str) -> None:
    lines = broken_by(change)
    assert len(lines) == 1
    assert told in lines[0]


def test_a_place_that_is_fine_breaks_nothing() -> None:
    field = {"type": "string", "description": "Version of the service."}
    assert broken_by(lambda root, service: service["properties"].update(version=field)) == []
