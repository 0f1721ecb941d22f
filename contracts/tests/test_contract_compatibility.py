"""Each kind of breaking change is refused and each kind of allowed change passes, on schemas as real as the released.

The changes are made to copies of the schema files on disk, in the message itself or inside a definition it refers to.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from message_contracts.compatibility import breaking_changes, compare
from message_contracts.resolution import resolve
from message_contracts.schemas import DEFINITIONS, MESSAGES, PACKAGE, SchemaSet, current

Change = Callable[[dict[str, Any]], object]
ANNOUNCED = f"{MESSAGES}/tool-service.announced"
REQUESTED = f"{MESSAGES}/tool-call.requested"
CREATED = f"{MESSAGES}/message.created"
FAILED = f"{MESSAGES}/run.failed"
RUN = f"{DEFINITIONS}/run"
LAST_ERROR = f"{DEFINITIONS}/last-error"
MESSAGE = f"{DEFINITIONS}/message"
CONTENT_PART = f"{DEFINITIONS}/content-part"


def at(*path: str | int) -> Callable[[dict[str, Any]], Any]:
    """The part of a schema under a path of property names; a name starting with @ is a keyword."""

    def find(schema: dict[str, Any]) -> Any:
        node: Any = schema
        for name in path:
            keyword = isinstance(name, str) and name.startswith("@")
            node = node[str(name)[1:]] if keyword else node["properties"][name] if isinstance(name, str) else node[name]
        return node

    return find


def put(*path: str | int, **keywords: Any) -> Change:
    return lambda schema: at(*path)(schema).update({name.replace("__", "-"): value for name, value in keywords.items()})


def drop(keyword: str, *path: str | int) -> Change:
    return lambda schema: at(*path)(schema).pop(keyword)


def both(*changes: Change) -> Change:
    return lambda schema: [change(schema) for change in changes]


def remove_field(name: str, *path: str | int) -> Change:
    def change(schema: dict[str, Any]) -> None:
        node = at(*path)(schema)
        del node["properties"][name]
        if name in node["required"]:
            node["required"].remove(name)

    return change


def require(name: str, *path: str | int) -> Change:
    return lambda schema: at(*path)(schema)["required"].append(name)


def optional(name: str, *path: str | int) -> Change:
    return lambda schema: at(*path)(schema)["required"].remove(name)


NEW_FIELD = {"type": "string", "minLength": 3, "description": "A field of a later minor version."}
FUNCTION = ("service", "functions", "@items")

BREAKING = {
    "a field is removed": (ANNOUNCED, remove_field("public_key", "service"), "/service/public_key: field removed"),
    "an optional field is removed": (CREATED, lambda s: s["properties"].pop("run"), "/run: field removed"),
    "a type changes": (ANNOUNCED, put("service", "public_key", type="integer"), "/service/public_key: type was"),
    "a type widens": (
        REQUESTED,
        put("tool_call", "name", type=["string", "null"]),
        "type was string, now null, string",
    ),
    "a type narrows": (ANNOUNCED, put("service", "public_key", type="string"), "type was null, string, now string"),
    "integer where numbers were": (ANNOUNCED, put(*FUNCTION, "timeout_seconds", type="integer"), "type was number"),
    "a new field is required": (
        ANNOUNCED,
        both(put("service", "@properties", version=NEW_FIELD), require("version", "service")),
        "/service: version is newly required",
    ),
    "an old field becomes required": (CREATED, require("run"), "/: run is newly required"),
    "a required field becomes optional": (ANNOUNCED, optional("public_key", "service"), "public_key is no longer"),
    "a vocabulary narrows": (
        CONTENT_PART,
        put("type", **{"x__extensible__enum": ["text"]}),
        "narrowed, without image_",
    ),
    "a vocabulary appears": (ANNOUNCED, put("service", "name", **{"x__extensible__enum": ["moodle"]}), "enum added"),
    "a vocabulary disappears": (LAST_ERROR, drop("x-extensible-enum", "code"), "x-extensible-enum removed"),
    "an enum appears": (ANNOUNCED, put("service", "name", enum=["moodle"]), "/service/name: enum added"),
    "a const appears": (ANNOUNCED, put("service", "name", const="moodle"), "/service/name: const added"),
    "a const changes": (FAILED, put("run", "status", const="crashed"), "const changed from ['failed'] to ['crashed']"),
    "a const disappears": (FAILED, drop("const", "run", "status"), "/run/status: const removed"),
    "minLength is added": (REQUESTED, put("tool_call", "arguments", minLength=2), "minLength tightened from none to 2"),
    "minLength is raised": (REQUESTED, put("tool_call", "id", minLength=9), "minLength tightened from 1 to 9"),
    "minLength is lowered": (REQUESTED, put("tool_call", "id", minLength=0), "minLength loosened from 1 to 0"),
    "maxLength is added": (REQUESTED, put("tool_call", "id", maxLength=9), "maxLength tightened from none to 9"),
    "maxLength is lowered": (REQUESTED, put("tool_call", "arguments", maxLength=9), "maxLength tightened from 524288"),
    "maxLength is raised": (REQUESTED, put("tool_call", "arguments", maxLength=2**20), "maxLength loosened from"),
    "maxLength is dropped": (REQUESTED, drop("maxLength", "tool_call", "arguments"), "maxLength loosened"),
    "the limit in bytes is lowered": (
        REQUESTED,
        put("tool_call", "arguments", **{"x__max__bytes": 9}),
        "/tool_call/arguments: x-max-bytes tightened from 524288 to 9",
    ),
    "minimum is raised": (RUN, put("attempt", minimum=1), "/run/attempt: minimum tightened from 0 to 1"),
    "maximum is added": (RUN, put("attempt", maximum=99), "/run/attempt: maximum tightened from none to 99"),
    "exclusiveMinimum is raised": (
        ANNOUNCED,
        put(*FUNCTION, "timeout_seconds", exclusiveMinimum=1),
        "/service/functions/items/timeout_seconds: exclusiveMinimum tightened from 0 to 1",
    ),
    "exclusiveMaximum is added": (ANNOUNCED, put(*FUNCTION, "timeout_seconds", exclusiveMaximum=9), "exclusiveMaximum"),
    "minItems is added": (ANNOUNCED, put("service", "functions", minItems=1), "minItems tightened from none to 1"),
    "maxItems is added": (ANNOUNCED, put("service", "functions", maxItems=9), "maxItems tightened from none to 9"),
    "uniqueItems is added": (ANNOUNCED, put("service", "functions", uniqueItems=True), "uniqueItems added"),
    "multipleOf is added": (ANNOUNCED, put(*FUNCTION, "timeout_seconds", multipleOf=5), "multipleOf added"),
    "minProperties is added": (ANNOUNCED, put(*FUNCTION, "parameters", minProperties=1), "minProperties tightened"),
    "maxProperties is added": (RUN, put("metadata", maxProperties=16), "/run/metadata: maxProperties tightened"),
    "propertyNames is added": (RUN, put("metadata", propertyNames={"maxLength": 64}), "propertyNames added"),
    "a pattern is added": (REQUESTED, put("tool_call", "id", pattern="^call_"), "/tool_call/id: pattern added"),
    "a pattern changes": (ANNOUNCED, put("service", "name", pattern="^[a-z]+$"), "/service/name: pattern changed"),
    "a pattern is dropped": (ANNOUNCED, drop("pattern", "service", "name"), "/service/name: pattern removed"),
    "a format is added": (REQUESTED, put("tool_call", "id", format="uuid"), "/tool_call/id: format added"),
    "a format changes": (REQUESTED, put("tool_call", "deadline", format="date"), "format changed from ['date-time']"),
    "a format is dropped": (REQUESTED, drop("format", "tool_call", "deadline"), "/tool_call/deadline: format removed"),
    "an object is closed": (ANNOUNCED, put("service", additionalProperties=False), "/service: object closed"),
    "the root is closed": (REQUESTED, put(additionalProperties=False), "/: object closed"),
    "an object is closed by unevaluatedProperties": (ANNOUNCED, put(unevaluatedProperties=False), "unevaluatedProp"),
    "unknown fields get a type": (ANNOUNCED, put("service", additionalProperties={"type": "string"}), "additionalProp"),
    "values of a map change": (RUN, put("metadata", additionalProperties={"type": "integer"}), "type was string, now"),
    "a map gets a field of its own": (RUN, put("metadata", properties={"course": NEW_FIELD}), "/run/metadata/course"),
    "items tighten": (ANNOUNCED, put(*FUNCTION, "description", maxLength=9), "/items/description: maxLength tightened"),
    "items appear": (CONTENT_PART, put("text", "annotations", "@items", items={"type": "string"}), "items added"),
    "items disappear": (ANNOUNCED, drop("items", "service", "functions"), "/service/functions: items removed"),
    "prefixItems appear": (ANNOUNCED, put("service", "functions", prefixItems=[{"type": "object"}]), "prefixItems"),
    "a branch disappears": (RUN, lambda s: at("usage")(s)["anyOf"].pop(), "/run/usage: anyOf has other branches"),
    "a branch appears": (RUN, lambda s: at("usage")(s)["anyOf"].append({"type": "string"}), "/run/usage: anyOf has"),
    "a condition appears": (
        REQUESTED,
        put(**{"if": {"required": ["urgent"]}, "then": {"required": ["reason"]}}),
        "/: conditions added",
    ),
    "a condition disappears": (MESSAGE, drop("allOf"), "/message: conditions removed"),
    "allOf tightens": (
        REQUESTED,
        put(allOf=[{"properties": {"tool_call": {"required": ["urgent"]}}}]),
        "urgent is newly",
    ),
    "not is added": (REQUESTED, put("tool_call", **{"not": {"required": ["internal"]}}), "/tool_call: not added"),
    "dependentRequired is added": (CREATED, put(dependentRequired={"run": ["reason"]}), "dependentRequired added"),
    "a tenant is no longer needed": (REQUESTED, put(**{"x__without__tenant": True}), "x-without-tenant added"),
    "a rule nobody has heard of is added": (REQUESTED, put("tool_call", "id", checksum="mod 97"), "checksum added"),
    "a definition loses a field": (LAST_ERROR, remove_field("message"), "/run/last_error/message: field removed"),
    "a definition requires a new field": (
        LAST_ERROR,
        both(put("@properties", hint=NEW_FIELD), require("hint")),
        "/run/last_error: hint is newly required",
    ),
    "a definition's vocabulary narrows": (
        RUN,
        put("status", **{"x__extensible__enum": ["queued"]}),
        "/run/status: x-e",
    ),
    "a definition inside a list of a definition tightens": (
        CONTENT_PART,
        put("text", "value", maxLength=9),
        "/message/content/items/text/value: maxLength tightened",
    ),
    "a reference leads to another definition": (
        CREATED,
        lambda s: s["properties"]["run"].update({"$ref": "urn:threadworks:contracts:definitions:thread-reference:v1"}),
        "/run/thread_id: field removed",
    ),
    "a narrowing beside a reference is added": (
        CREATED,
        put("message", properties={"role": {"const": "user"}}),
        "const",
    ),
}

ALLOWED = {
    "nothing": (REQUESTED, lambda s: None),
    "an optional field": (ANNOUNCED, put("service", "@properties", version=NEW_FIELD)),
    "an optional field in a list": (ANNOUNCED, put(*FUNCTION, "@properties", read_only=NEW_FIELD)),
    "an optional field at the root": (REQUESTED, put("@properties", trace=NEW_FIELD)),
    "an optional object with required fields": (
        ANNOUNCED,
        put(
            "service", "@properties", owner={"type": "object", "required": ["name"], "properties": {"name": NEW_FIELD}}
        ),
    ),
    "an optional field in a definition": (RUN, put("@properties", priority=NEW_FIELD)),
    "an optional field in a definition inside anyOf": (LAST_ERROR, put("@properties", hint=NEW_FIELD)),
    "a word in a vocabulary": (LAST_ERROR, lambda s: at("code")(s)["x-extensible-enum"].append("out_of_memory")),
    "another order of words": (LAST_ERROR, lambda s: at("code")(s)["x-extensible-enum"].reverse()),
    "another order of required": (REQUESTED, lambda s: at("tool_call")(s)["required"].reverse()),
    "other descriptions": (REQUESTED, put("tool_call", title="Call", description="Other words.", examples=[{}])),
    "a deprecation": (RUN, put("model", deprecated=True, **{"$comment": "use engine"})),
    "openness said aloud": (REQUESTED, put("tool_call", additionalProperties=True)),
    "what a definition says anyway": (CREATED, put("message", properties={"role": {"minLength": 1}})),
    "a definition written out": (
        CREATED,
        lambda s: s["properties"].update(
            run={key: part for key, part in definition("run-reference").items() if not key.startswith("$")}
        ),
    ),
    "an allOf around the same": (
        REQUESTED,
        lambda s: s["properties"].update(tool_call={"allOf": [s["properties"]["tool_call"]]}),
    ),
}


def definition(name: str) -> dict[str, Any]:
    return current().definitions[f"urn:threadworks:contracts:definitions:{name}:v1"]


@pytest.fixture
def released(tmp_path: Path) -> SchemaSet:
    return copied(tmp_path / "released")


def copied(folder: Path) -> SchemaSet:
    for kind in (MESSAGES, DEFINITIONS):
        shutil.copytree(PACKAGE / kind, folder / kind, ignore=shutil.ignore_patterns("examples"))
    return SchemaSet(folder)


def changed(folder: Path, name: str, change: Change) -> SchemaSet:
    schemas = copied(folder)
    path = folder / name / "v1.schema.json"
    schema = orjson.loads(path.read_bytes())
    change(schema)
    path.write_bytes(orjson.dumps(schema))
    return schemas


@pytest.mark.parametrize(("file", "change", "told"), BREAKING.values(), ids=BREAKING.keys())
def test_a_breaking_change_is_refused(
    released: SchemaSet, tmp_path: Path, file: str, change: Change, told: str
) -> None:
    lines = list(breaking_changes(released, changed(tmp_path / "now", file, change)))
    assert lines
    assert any(told in line for line in lines), lines


@pytest.mark.parametrize(("file", "change"), ALLOWED.values(), ids=ALLOWED.keys())
def test_an_allowed_change_passes(released: SchemaSet, tmp_path: Path, file: str, change: Change) -> None:
    assert list(breaking_changes(released, changed(tmp_path / "now", file, change))) == []


def test_a_change_in_a_definition_is_told_for_every_type_that_uses_it(released: SchemaSet, tmp_path: Path) -> None:
    lines = list(breaking_changes(released, changed(tmp_path / "now", LAST_ERROR, remove_field("message"))))
    told = {line.split()[0].split(".")[1] for line in lines}
    assert told == {"run", "run-step"}
    assert len(lines) == 16


def test_a_removed_type_is_refused_and_a_new_one_passes(released: SchemaSet, tmp_path: Path) -> None:
    now = copied(tmp_path / "now")
    folder = tmp_path / "now" / MESSAGES
    shutil.copytree(folder / "run.requested", folder / "run.paused")
    assert list(breaking_changes(released, now)) == []
    shutil.rmtree(folder / "run.requested")
    told = "threadworks.run.requested.v1: removed; a released major stays while anyone may read it"
    assert list(breaking_changes(released, SchemaSet(tmp_path / "now"))) == [told]


def test_a_new_major_beside_the_old_one_passes(released: SchemaSet, tmp_path: Path) -> None:
    now = copied(tmp_path / "now")
    path = tmp_path / "now" / REQUESTED / "v1.schema.json"
    schema = orjson.loads(path.read_bytes())
    remove_field("arguments", "tool_call")(schema)
    path.with_name("v2.schema.json").write_bytes(orjson.dumps(schema))
    assert list(breaking_changes(released, now)) == []
    assert "threadworks.tool-call.requested.v2" in now.messages


def test_what_was_closed_may_not_be_opened() -> None:
    """Older consumers would refuse the fields that newer producers may then send."""
    told = list(compare(resolve({"additionalProperties": False}, {}), resolve({"type": "object"}, {})))
    assert "/: additionalProperties removed: False" in told


def test_a_reference_to_itself_is_told() -> None:
    definitions = {"urn:a": {"properties": {"next": {"$ref": "urn:a"}}}}
    with pytest.raises(ValueError, match="urn:a refers to itself"):
        resolve({"$ref": "urn:a"}, definitions)


def test_joined_demands_are_the_stricter_ones() -> None:
    definitions = {"urn:a": {"type": ["integer", "null"], "minimum": 1, "maximum": 9, "x-extensible-enum": [1, 2]}}
    narrowed = {"$ref": "urn:a", "type": "number", "minimum": 3, "maximum": 20, "x-extensible-enum": [2, 3]}
    joined = resolve({**narrowed, "allOf": [True]}, definitions)
    assert joined == {"type": ["integer"], "minimum": 3, "maximum": 9, "x-extensible-enum": [2]}


def test_two_demands_that_cannot_be_joined_are_both_kept() -> None:
    joined = resolve({"pattern": "^a", "allOf": [{"pattern": "z$"}, {"not": {"const": "az"}}, False]}, {})
    assert joined["pattern"] == ["^a", "z$"]
    assert joined["not"] == {"const": ["az"]}
