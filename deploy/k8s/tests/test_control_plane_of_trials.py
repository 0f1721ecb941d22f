"""The control plane of trials has custom resources as `schemas/` describe them, in a form that an API server takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import control_plane
import pytest
from crd_schemas import FOLDER, KINDS


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    yield schema
    for each in [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]:
        if isinstance(each, dict):
            yield from parts(each)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_definition_has_a_structure_that_is_taken(path: Path) -> None:
    definition = control_plane.definition(path)
    names = definition["spec"]["names"]
    assert definition["metadata"]["name"] == f"{names['plural']}.{definition['spec']['group']}"
    assert names["kind"] in KINDS
    (version,) = definition["spec"]["versions"]
    for part in parts(version["schema"]["openAPIV3Schema"]):
        assert isinstance(part.get("type", ""), str)
        assert not ("properties" in part and "additionalProperties" in part)
        assert "type" in part or "x-kubernetes-int-or-string" in part
