"""Takes from custom resource definitions what the check of our manifests needs of them, into `schemas/`.

Run by whoever moves to a newer Strimzi, KEDA or Prometheus operator, with the definitions of that version:
`kubectl get crd -o yaml | python deploy/k8s/crd_schemas.py -`. Kept are the structure, the types and the limits of the
kinds that we use, as JSON Schema; texts are left out, and fields that a definition does not know are errors, as they
are for an API server that is asked to be strict.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parent / "schemas"
KINDS: Final = frozenset(
    {"KafkaTopic", "KafkaUser", "ScaledObject", "TriggerAuthentication", "ServiceMonitor", "PrometheusRule"}
)
_KEPT: Final = frozenset(
    {"type", "enum", "required", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}
)
_ANY: Final = "x-kubernetes-preserve-unknown-fields"

Schema = dict[str, Any]


def schemas(definitions: list[Schema]) -> Iterator[tuple[str, Schema]]:
    """Yield the name of a file and its schema, for each version of our kinds that is served."""
    for definition in definitions:
        spec = definition["spec"]
        kind = spec["names"]["kind"]
        for version in spec["versions"]:
            if kind in KINDS and version["served"]:
                name = f"{spec['group']}_{version['name']}_{kind}.json"
                strict = _strict(version["schema"]["openAPIV3Schema"])
                # What a user writes: the rest of it is the API server's.
                strict["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
                strict["properties"].pop("status", None)
                yield name, strict


def _strict(schema: Schema) -> Schema:
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept: Schema = {key: value for key, value in schema.items() if key in _KEPT}
    if "properties" in schema:
        kept["properties"] = {name: _strict(each) for name, each in schema["properties"].items()}
        kept["additionalProperties"] = bool(schema.get(_ANY))
    elif isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = _strict(schema["additionalProperties"])
    elif kept.get("type") == "object" and not schema.get(_ANY) and schema.get("additionalProperties") is not True:
        kept["additionalProperties"] = False
    if "items" in schema:
        kept["items"] = _strict(schema["items"])
    return kept


def _read(path: str) -> Iterator[Schema]:
    text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    for document in yaml.safe_load_all(text):
        if document:
            yield from document.get("items", [document])


if __name__ == "__main__":
    found = [definition for path in sys.argv[1:] for definition in _read(path)]
    for file_name, wanted in schemas(found):
        (FOLDER / file_name).write_text(json.dumps(wanted, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(file_name)
