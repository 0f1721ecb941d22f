"""The topics agree with the message types, and ask Kafka for nothing it cannot do."""

import re
from datetime import timedelta

import pytest
from message_contracts import UnknownType, catalogue
from message_contracts.schemas import current

EVERY = [*catalogue.topics(), catalogue.tool_calls_topic("moodle")]


def test_each_type_travels_on_exactly_one_topic() -> None:
    carried = [type_ for topic in EVERY for type_ in topic.message_types]
    assert sorted(carried) == sorted(current().messages)


@pytest.mark.parametrize("type_", sorted(current().messages))
def test_topic_of_names_the_topic_that_carries_the_type(type_: str) -> None:
    name = catalogue.topic_of(type_, service="moodle")
    assert [topic.name for topic in EVERY if type_ in topic.message_types] == [name]


@pytest.mark.parametrize(
    ("name", "partitions", "retention", "key"),
    [
        ("threadworks.messages.v1", 12, timedelta(days=7), "thread id"),
        ("threadworks.run-commands.v1", 12, timedelta(days=7), "thread id"),
        ("threadworks.run-events.v1", 12, timedelta(days=7), "thread id"),
        ("threadworks.tool-calls.moodle.v1", 12, timedelta(days=3), "tool call id"),
        ("threadworks.tool-results.v1", 12, timedelta(days=3), "thread id"),
        ("threadworks.tool-services.v1", 1, None, "service name"),
        ("threadworks.run-deltas.v1", 64, timedelta(minutes=15), "none"),
        ("threadworks.dead-letters.v1", 3, timedelta(days=30), "original key"),
    ],
)
def test_a_topic_is_as_it_was_decided(name: str, partitions: int, retention: timedelta | None, key: str) -> None:
    topic = next(topic for topic in EVERY if topic.name == name)
    assert (topic.partitions, topic.retention, topic.key) == (partitions, retention, key)
    assert topic.compacted is (retention is None)


def test_there_are_no_other_topics() -> None:
    assert len(EVERY) == 8
    assert len({topic.name for topic in EVERY}) == 8


@pytest.mark.parametrize("topic", EVERY, ids=lambda topic: topic.name)
def test_a_topic_names_who_writes_and_who_reads(topic: catalogue.Topic) -> None:
    assert re.fullmatch(r"threadworks\.[a-z.-]+\.v\d+", topic.name)
    assert topic.producers
    assert topic.consumers
    assert "<" not in str(topic)


def test_each_tool_service_has_a_topic_of_its_own() -> None:
    topic = catalogue.tool_calls_topic("library-2")
    assert topic.name == "threadworks.tool-calls.library-2.v1"
    assert topic.consumers == ("library-2",)
    assert catalogue.topic_of("threadworks.tool-call.requested.v1", service="library-2") == topic.name


@pytest.mark.parametrize("service", [None, "", "Moodle", "-moodle", "a.b", "a/b", "a b", "a" * 64, "moodle\n"])
def test_a_malformed_service_name_is_refused(service: str | None) -> None:
    with pytest.raises(ValueError, match="not the name of a tool service"):
        catalogue.topic_of("threadworks.tool-call.requested.v1", service=service)


def test_the_schemas_and_the_catalogue_agree_on_service_names() -> None:
    schema = current().messages["threadworks.tool-service.announced.v1"]
    pattern = schema["properties"]["service"]["properties"]["name"]["pattern"]
    assert pattern == f"^{catalogue._SERVICE_NAME.pattern}$"


@pytest.mark.parametrize("type_", ["threadworks.run.requested.v2", "threadworks.run.imagined.v1", ""])
def test_a_type_no_topic_carries_is_unknown(type_: str) -> None:
    with pytest.raises(UnknownType):
        catalogue.topic_of(type_)
