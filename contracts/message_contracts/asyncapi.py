"""The AsyncAPI document: topics and message types in the words that tools of other people understand.

Written to `contracts/asyncapi.yaml` by `python -m message_contracts generate`; `check` and a test tell when it does not
agree with the schemas and topics any more. It holds all schemas, so that this one file is enough to make a subscriber.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from message_contracts.asyncapi_schemas import HEADERS, component, embedded
from message_contracts.catalogue import Topic, declared
from message_contracts.examples import examples
from message_contracts.schemas import PACKAGE, current

DOCUMENT: Final = PACKAGE.parent / "asyncapi.yaml"
_HEADER: Final = "# Generated from the schemas and topics by `python -m message_contracts generate`; do not edit.\n"
_DEAD_LETTER: Final = "dead-letter"
_ABOUT: Final = (
    "What happens to runs, steps and messages, as CloudEvents 1.0 on Kafka: attributes are headers with the prefix "
    "`ce_`, the value is the data as JSON. Topics tagged `public` are for anyone; the others are between the services. "
    "Objects are open: ignore fields that you do not know, and skip types and majors that you do not know."
)
_KAFKA: Final = "0.5.0"
"""Version of the Kafka bindings."""


def asyncapi() -> dict[str, Any]:
    """The document."""
    topics = declared()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Threadworks",
            "version": "1",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_name(topic): _channel(topic) for topic in topics},
        "operations": {
            f"{who}.{verb}.{_name(topic)}": _operation(topic, who, verb)
            for topic in topics
            for verb, whose in (("send", topic.producers), ("receive", topic.consumers))
            for who in (_who(each) for each in whose)
        },
        "components": {
            "messages": {
                **{type_: _message(type_, topic) for topic in topics for type_ in topic.message_types},
                _DEAD_LETTER: _dead_letter(),
            },
            "schemas": {"cloud-event-headers": HEADERS, **embedded(current())},
        },
    }


def text() -> str:
    """The document as it is kept."""
    return _HEADER + yaml.dump(asyncapi(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


def write_document(path: Path = DOCUMENT) -> list[str]:
    """Write it anew; returns its name where that changed it."""
    if path.exists() and path.read_text("utf-8") == text():
        return []
    path.write_text(text(), "utf-8")
    return [path.name]


def drift(path: Path = DOCUMENT) -> list[str]:
    """One line where the schemas and topics would write it differently."""
    if path.exists() and path.read_text("utf-8") == text():
        return []
    return [f"{path.name} does not agree with the schemas and topics; run generate"]


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out where it stands."""
        return True


def _name(topic: Topic) -> str:
    # Names of channels and operations are words to generators.
    return topic.name.replace("<service>", "service")


def _who(name: str) -> str:
    return name.replace("<service>", "tool-service")


def _channel(topic: Topic) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": topic.name.replace("<service>", "{service}"),
        "description": f"{topic.description} Key: {topic.key}. Partitions: {topic.partitions}. Kept: {_kept(topic)}.",
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in _types(topic)},
        "tags": [{"name": "public" if "public" in topic.consumers else "internal"}],
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if topic.compacted else "delete"],
                    **(
                        {}
                        if topic.retention is None
                        else {"retention.ms": round(topic.retention.total_seconds() * 1000)}
                    ),
                },
                "bindingVersion": _KAFKA,
            }
        },
    }
    if "{service}" in channel["address"]:
        channel["parameters"] = {"service": {"description": "Name of the tool service.", "examples": ["moodle"]}}
    return channel


def _kept(topic: Topic) -> str:
    if topic.retention is None:
        return "the last record of each key"
    days, rest = divmod(topic.retention.total_seconds(), 86_400)
    return f"{rest / 60:g} minutes" if rest else f"{days:g} days"


def _types(topic: Topic) -> tuple[str, ...]:
    return topic.message_types or (_DEAD_LETTER,)


def _operation(topic: Topic, who: str, verb: str) -> dict[str, Any]:
    channel = f"#/channels/{_name(topic)}"
    does = "publishes to" if verb == "send" else "reads"
    return {
        "action": verb,
        "channel": {"$ref": channel},
        "summary": f"{'Anyone' if who == 'public' else who} {does} {topic.name}.",
        "messages": [{"$ref": f"{channel}/messages/{type_}"} for type_ in _types(topic)],
    }


def _message(type_: str, topic: Topic) -> dict[str, Any]:
    schema = current().messages[type_]
    message = {
        "name": type_,
        "title": schema["title"],
        "summary": schema["description"],
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "allOf": [{"$ref": "#/components/schemas/cloud-event-headers"}],
            "required": [] if schema.get("x-without-tenant") else ["ce_tenant"],
            "properties": {"ce_type": {"const": type_}, "ce_dataschema": {"const": schema["$id"]}},
        },
        "payload": {"$ref": component(schema["$id"])},
        "bindings": _key(topic),
        "examples": [
            {"name": each.path.stem.removeprefix("valid-"), "payload": each.data}
            for each in examples()
            if each.valid and each.type == type_
        ][:1],
    }
    if not message["headers"]["required"]:
        del message["headers"]["required"]
    if topic.key == "thread id":
        message["correlationId"] = {
            "description": "The run that the event is about.",
            "location": "$message.header#/ce_correlationid",
        }
    return message


def _key(topic: Topic) -> Mapping[str, Any]:
    if topic.key == "none":
        return {"kafka": {"bindingVersion": _KAFKA}}
    return {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": _KAFKA}}


def _dead_letter() -> dict[str, Any]:
    headers = {
        "topic": "Where the record was.",
        "partition": "Its partition there.",
        "offset": "Its offset there.",
        "error_class": "What went wrong, as a class.",
        "reason": "What went wrong, as a sentence, where that quotes nothing of the record.",
        "service": "Who could not handle it.",
        "group": "The consumer group of that service.",
        "time": "When it was given up.",
    }
    return {
        "name": _DEAD_LETTER,
        "title": "Dead letter",
        "summary": "A record that nobody could handle: its original key, bytes and headers, and why, where and when.",
        "headers": {
            "type": "object",
            "properties": {
                f"dead_letter_{name}": {"type": "string", "description": what} for name, what in headers.items()
            },
        },
        "payload": {"description": "Whatever the record was."},
        "bindings": {"kafka": {"key": {"type": "string", "description": "original key"}, "bindingVersion": _KAFKA}},
    }
