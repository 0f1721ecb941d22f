"""Every object of every overlay is one that the API server would take.

Checked with the schemas of Kubernetes, strictly, and with those of the custom resources that Strimzi, KEDA and the
Prometheus operator define.
"""

import copy
import json
from typing import Any

import kubernetes_validate
import pytest
from crd_schemas import FOLDER as SCHEMAS
from crd_schemas import KINDS, schemas
from jsonschema import Draft202012Validator, ValidationError
from manifests_under_test.rendered import FOLDER, OVERLAYS, Object, render

VERSIONS = ("1.34", "1.37")
"""The oldest that is tried on a control plane, and the newest that the validator knows."""


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return render(FOLDER / "overlays" / request.param)


def validate(each: Object, version: str) -> None:
    group, _, release = each["apiVersion"].rpartition("/")
    own = SCHEMAS / f"{group}_{release}_{each['kind']}.json"
    if own.exists():
        Draft202012Validator(json.loads(own.read_text())).validate(each)
    else:
        kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(objects: list[Object], version: str) -> None:
    assert len(objects) > 40
    for each in objects:
        validate(each, version)


def test_every_custom_kind_is_checked_against_its_definition() -> None:
    kinds = {
        each["kind"] for overlay in OVERLAYS for each in render(FOLDER / "overlays" / overlay) if "." in _group(each)
    }
    assert kinds - {"NetworkPolicy"} >= KINDS
    assert {path.stem.rpartition("_")[2] for path in SCHEMAS.glob("*.json")} == KINDS


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "securityContex"), {}),
        ("Deployment", ("spec", "replicas"), "two"),
        ("NetworkPolicy", ("spec", "podSelectors"), {}),
        ("PodDisruptionBudget", ("spec", "maxUnavailabel"), 1),
        ("KafkaTopic", ("spec", "partitions"), 0),
        ("KafkaTopic", ("spec", "partition"), 1),
        ("KafkaUser", ("spec", "authentication"), {"type": "password"}),
        ("KafkaUser", ("spec", "authorization"), {"type": "simple"}),
        ("ScaledObject", ("spec", "minReplicas"), 1),
        ("ScaledObject", ("spec", "triggers"), [{"type": "kafka"}]),
        ("TriggerAuthentication", ("spec", "secretTargetRef"), [{"parameter": "x", "name": "x"}]),
        ("ServiceMonitor", ("spec", "endpoints"), [{"interval": "often"}]),
        ("PrometheusRule", ("spec", "groups"), [{"name": "x", "rules": [{"alert": "X"}]}]),
    ],
)
def test_a_mistake_is_seen(kind: str, path: tuple[str, ...], value: Any) -> None:
    found = next(each for each in render(FOLDER / "overlays/production") if each["kind"] == kind)
    wrong = copy.deepcopy(found)
    place = wrong
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises((ValidationError, kubernetes_validate.ValidationError)):
        validate(wrong, VERSIONS[0])


def test_a_definition_becomes_a_strict_schema() -> None:
    definition = {
        "spec": {
            "group": "kafka.strimzi.io",
            "names": {"kind": "KafkaTopic"},
            "versions": [
                {"name": "v0", "served": False, "schema": {}},
                {
                    "name": "v1",
                    "served": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "A text.",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "size": {"x-kubernetes-int-or-string": True},
                                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                        "list": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                                    },
                                },
                                "status": {"type": "object"},
                            },
                        }
                    },
                },
            ],
        }
    }
    ((name, schema),) = schemas([definition])
    assert name == "kafka.strimzi.io_v1_KafkaTopic.json"
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"spec": {"size": "1Gi", "labels": {"a": "b"}, "any": {"x": 1}, "list": [1]}})
    for wrong in ({"size": []}, {"labels": {"a": 1}}, {"list": [0]}, {"more": 1}):
        assert not validator.is_valid({"spec": wrong})
    assert not validator.is_valid({"status": {}})


def _group(each: Object) -> str:
    return str(each["apiVersion"]).rpartition("/")[0]
