"""Which topics there are, and on which one each message type travels: `topics/*.yaml` as values.

`threadworks topics apply` creates them, producers ask `topic_of`, consumers name topics by it. Read once, on first use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from message_contracts.errors import UnknownType

_FOLDER = Path(__file__).parent / "topics"
_SERVICE = "<service>"
_SERVICE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One Kafka topic as it should be."""

    name: str
    description: str = ""
    """What it is for, in a sentence or two."""
    key: str
    """What the record key is, in words: `thread id`, `tool call id`, `service name`, `original key`."""
    partitions: int
    """Also the most consumers of one group that get work."""
    retention: timedelta | None
    """How long records are kept; None when only compaction removes them."""
    compacted: bool
    """Whether Kafka keeps the last record of each key instead of a time span."""
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    """Who reads it. `public` means anyone: the records are part of the product's interface."""
    message_types: tuple[str, ...]
    """Types that travel here. Empty for dead letters, which carry the original bytes."""


def topics() -> list[Topic]:
    """Every topic with a fixed name. Each tool service has one more: `tool_calls_topic`."""
    return [topic for topic in _declared() if _SERVICE not in topic.name]


def declared() -> tuple[Topic, ...]:
    """Every topic as it is declared, that of tool services under the name `threadworks.tool-calls.<service>.v1`."""
    return _declared()


def tool_calls_topic(service: str) -> Topic:
    """The topic that carries the calls for one tool service.

    Raises ValueError for a name other than 1 to 63 lower-case letters, digits and inner dashes.
    """
    template = next(topic for topic in _declared() if _SERVICE in topic.name)
    return _for_service(template, service)


def checked_services(names: str) -> str:
    """Return `names`, as a setting lists tool services: separated by commas. Raises ValueError, which repeats none."""
    for name in names.split(","):
        if name.strip() and not _SERVICE_NAME.fullmatch(name.strip()):
            raise ValueError("it is no list of tool services, separated by commas: small letters, digits and dashes")
    return names


def topic_of(type: str, *, service: str | None = None) -> str:  # noqa: A002 — the CloudEvents word for it
    """Name of the topic a message type travels on.

    `service` names the tool service of a tool-call.requested and is ignored for other types. Raises UnknownType for
    a type that no topic carries, ValueError when the service is needed and missing or malformed.
    """
    topic = _topics_by_type().get(type)
    if topic is None:
        raise UnknownType(type)
    return topic.name if _SERVICE not in topic.name else _for_service(topic, service).name


def _for_service(template: Topic, service: str | None) -> Topic:
    if service is None or not _SERVICE_NAME.fullmatch(service):
        raise ValueError(f"{template.name}: not the name of a tool service: {service!r}")
    consumers = tuple(consumer.replace(_SERVICE, service) for consumer in template.consumers)
    return replace(template, name=template.name.replace(_SERVICE, service), consumers=consumers)


@cache
def _declared() -> tuple[Topic, ...]:
    return tuple(_topic(yaml.safe_load(path.read_text("utf-8"))) for path in sorted(_FOLDER.glob("*.yaml")))


@cache
def _topics_by_type() -> dict[str, Topic]:
    return {type_: topic for topic in _declared() for type_ in topic.message_types}


def _topic(declaration: dict[str, Any]) -> Topic:
    retention_hours = declaration["retention_hours"]
    return Topic(
        name=declaration["name"],
        description=declaration["description"],
        key=declaration["key"],
        partitions=declaration["partitions"],
        retention=None if retention_hours is None else timedelta(hours=retention_hours),
        compacted=declaration["compacted"],
        producers=tuple(declaration["producers"]),
        consumers=tuple(declaration["consumers"]),
        message_types=tuple(declaration["message_types"]),
    )
