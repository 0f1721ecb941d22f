"""The AsyncAPI document says what the schemas and topics say, is complete in itself, and a difference is noticed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema_rs import Draft7Validator
from message_contracts import asyncapi, catalogue
from message_contracts.examples import Example, examples
from message_contracts.schemas import current

DOCUMENT: dict[str, Any] = yaml.safe_load(asyncapi.DOCUMENT.read_text("utf-8"))
EXAMPLES = list(examples())
# What standard validators know nothing of: only producers are held to these.
OURS = ("-x-extensible-enum", "-enum", "-x-max-bytes")


def fits(example: Example) -> bool:
    payload = DOCUMENT["components"]["messages"][example.type]["payload"]
    return Draft7Validator({**payload, "components": DOCUMENT["components"]}).is_valid(example.data)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_the_document_agrees_with_the_schemas_and_topics() -> None:
    assert asyncapi.drift() == []


def test_drift_is_noticed_and_generate_mends_it(tmp_path: Path) -> None:
    path = tmp_path / "asyncapi.yaml"
    told = ["asyncapi.yaml does not agree with the schemas and topics; run generate"]
    assert asyncapi.drift(path) == told
    assert asyncapi.write_document(path) == ["asyncapi.yaml"]
    assert (asyncapi.drift(path), asyncapi.write_document(path)) == ([], [])
    path.write_text(path.read_text("utf-8").replace("partitions: 12", "partitions: 6", 1), "utf-8")
    assert asyncapi.drift(path) == told


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert len(found) > 100
    for reference in found:
        assert reference.startswith("#/")
        assert isinstance(resolved(reference), dict)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_its_schemas_judge_every_example_as_the_contracts_do(example: Example) -> None:
    consumer = current().compile(example.type).consumer
    assert fits(example) is consumer.is_valid(example.data)
    if example.valid:
        assert fits(example)
    elif not example.path.stem.endswith(OURS):
        assert not fits(example)


@pytest.mark.parametrize("topic", catalogue.declared(), ids=lambda topic: topic.name)
def test_a_channel_says_what_the_topic_says(topic: catalogue.Topic) -> None:
    channel = next(
        each
        for each in DOCUMENT["channels"].values()
        if each["address"].replace("{service}", "<service>") == topic.name
    )
    kafka = channel["bindings"]["kafka"]
    assert kafka["partitions"] == topic.partitions
    kept = kafka["topicConfiguration"].get("retention.ms")
    assert kept == (None if topic.retention is None else topic.retention.total_seconds() * 1000)
    assert kafka["topicConfiguration"]["cleanup.policy"] == ["compact" if topic.compacted else "delete"]
    assert channel["tags"] == [{"name": "public" if "public" in topic.consumers else "internal"}]
    assert set(channel["messages"]) == set(topic.message_types or ["dead-letter"])
    for message in channel["messages"].values():
        key = resolved(message["$ref"])["bindings"]["kafka"].get("key")
        assert (key and key["description"]) == (None if topic.key == "none" else topic.key)


def test_every_message_type_has_a_message_with_its_headers() -> None:
    messages = DOCUMENT["components"]["messages"]
    assert set(messages) == {*current().messages, "dead-letter"}
    for type_, schema in current().messages.items():
        assert messages[type_]["headers"]["properties"]["ce_type"] == {"const": type_}
        assert messages[type_]["headers"]["properties"]["ce_dataschema"] == {"const": schema["$id"]}
        assert messages[type_]["examples"]


def test_producers_and_consumers_are_operations() -> None:
    operations = DOCUMENT["operations"]
    assert operations["public.receive.threadworks.run-events.v1"]["action"] == "receive"
    assert operations["gateway.send.threadworks.messages.v1"]["action"] == "send"
    declared = sum(len(topic.producers) + len(topic.consumers) for topic in catalogue.declared())
    assert len(operations) == declared
