"""The AsyncAPI document is one: held to the schema of AsyncAPI 3, which npm brings for the Node.js suite."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema_rs import Draft7Validator
from node_programs import FOLDER, NodePrograms, NoNode
from threadworks.local_servers.kafka_for_tests import missing_is_failure

DOCUMENT = Path(__file__).resolve().parents[2] / "contracts" / "asyncapi.yaml"


@pytest.fixture(scope="module")
def asyncapi() -> Draft7Validator:
    try:
        NodePrograms().install()
    except NoNode as error:
        if missing_is_failure(os.environ):
            raise
        pytest.skip(f"no schema of AsyncAPI: {error}")
    schema = FOLDER / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
    return Draft7Validator(orjson.loads(schema.read_bytes()))


@pytest.fixture
def document() -> Any:
    return yaml.safe_load(DOCUMENT.read_text("utf-8"))


def test_the_document_is_valid(asyncapi: Draft7Validator, document: Any) -> None:
    assert [f"{error.instance_path}: {error.message[:200]}" for error in asyncapi.iter_errors(document)] == []


def test_the_schema_finds_what_is_wrong(asyncapi: Draft7Validator, document: Any) -> None:
    document["operations"]["gateway.send.threadworks.messages.v1"]["action"] = "shout"
    assert not asyncapi.is_valid(document)


def test_the_schema_looks_into_channels_and_messages(asyncapi: Draft7Validator, document: Any) -> None:
    document["channels"]["threadworks.messages.v1"]["bindings"]["kafka"]["partitions"] = 0
    document["components"]["messages"]["threadworks.run.queued.v1"]["payload"] = 7
    paths = ["/".join(map(str, error.instance_path)) for error in asyncapi.iter_errors(document)]
    assert any("partitions" in path or path.startswith("channels") for path in paths), paths
    assert any(
        path.startswith("components/messages/threadworks.run.queued.v1") or path == "components" for path in paths
    ), paths
