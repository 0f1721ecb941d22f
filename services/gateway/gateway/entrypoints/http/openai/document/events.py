"""The shape of what the event feed sends."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from message_contracts import catalogue
from pydantic import Field

from gateway.entrypoints.http.openai.document.objects import ErrorResponse, Shape


class CloudEvent(Shape):
    """An event in the structured mode of CloudEvents 1.0. What its data is, contracts/asyncapi.yaml says by type."""

    specversion: Literal["1.0"]
    id: str = Field(description="The same when the event is sent again.")
    source: str
    type: str
    time: str
    subject: str = Field(description="The id of the run, step or message.")
    dataschema: str
    datacontenttype: Literal["application/json"]
    tenant: str
    seq: int | None = Field(default=None, description="Counts the events of one run.")
    attempt: int | None = None
    correlationid: str | None = Field(default=None, description="The id of the run.")
    causationid: str | None = None
    traceparent: str | None = None
    data: dict[str, Any]


class Gap(Shape):
    """Says that events which were asked for are not kept any more."""

    message: str


def public_types() -> Iterable[str]:
    """Return the types of public events."""
    return (type_ for topic in catalogue.topics() if "public" in topic.consumers for type_ in topic.message_types)


EVENT_FEED: Final[Mapping[str, Any]] = {
    **dict.fromkeys(sorted(public_types()), CloudEvent),
    "gap": Gap,
    "error": ErrorResponse,
}
"""What comes under each name."""
