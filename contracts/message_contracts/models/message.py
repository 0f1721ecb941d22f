"""Generated from the schemas by `python -m message_contracts generate`; do not edit."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class AttachmentV1(TypedDict):
    """One attached file."""

    file_id: NotRequired[str]
    """Id of the file."""

    tools: NotRequired[list[dict[str, Any]]]
    """Tools that may use the file, as in OpenAI's API."""


class ContentPartV1(TypedDict):
    """One part of a message, as in OpenAI's API; the member named by type is present."""

    type: str
    """Which of the members below is present. New kinds may be added."""

    text: NotRequired[TextV1]
    """Text of the part. Present when type is text."""

    image_file: NotRequired[ImageFileV1]
    """An uploaded image. Present when type is image_file."""

    image_url: NotRequired[ImageUrlV1]
    """An image by address. Present when type is image_url."""

    refusal: NotRequired[str]
    """What the model said instead of answering. Present when type is refusal."""


class ImageFileV1(TypedDict):
    """An uploaded image. Present when type is image_file."""

    file_id: str
    """Id of the file."""

    detail: NotRequired[str]
    """How closely the model looks: auto, low or high. Absent means auto."""


class ImageUrlV1(TypedDict):
    """An image by address. Present when type is image_url."""

    url: str
    """Address of the image."""

    detail: NotRequired[str]
    """How closely the model looks: auto, low or high. Absent means auto."""


class MessageCompletedV1(TypedDict):
    """The assistant's message is complete. Source: run-orchestrator. Subject: message id."""

    message: MessageV1
    """The message as of this event; its status is completed."""


class MessageCreatedV1(TypedDict):
    """A message was added to a thread. With run it is also the wake-up of that run. Source: gateway. Subject: message id."""

    thread: ThreadReferenceV1
    """The thread the message was added to."""

    message: MessageV1
    """The message as it was added."""

    run: NotRequired[RunReferenceV1]
    """The run that the same commit created. Absent when the message started none."""


class MessageIncompleteDetailsV1(TypedDict):
    """Why the message was given up. Null if it was not."""

    reason: str
    """What stopped it. New reasons may be added."""


class MessageIncompleteV1(TypedDict):
    """The assistant's message was given up before its end. Source: run-orchestrator or gateway. Subject: message id."""

    message: MessageV1
    """The message as of this event; its status is incomplete."""


class MessageV1(TypedDict):
    """One message of a thread with all its mutable fields as of the event."""

    id: str
    """Id of the message, as the API shows it."""

    thread_id: str
    """Id of the thread the message belongs to."""

    role: str
    """Who wrote it. New roles may be added."""

    status: str
    """State of the message. New states may be added."""

    content: list[ContentPartV1] | None
    """Parts of the message, in order. Null when they went by reference; content_url is set then."""

    content_url: NotRequired[str]
    """Where an authorised client reads the content over the API. Present exactly when content is null."""

    created_at: str
    """When the message was created, by the database's clock. RFC 3339."""

    completed_at: str | None
    """When the message was completed, RFC 3339. Null if it was not."""

    incomplete_at: str | None
    """When the message was given up, RFC 3339. Null if it was not."""

    incomplete_details: MessageIncompleteDetailsV1 | None
    """Why the message was given up. Null if it was not."""

    assistant_id: str | None
    """Id of the assistant that wrote the message. Null for a user's message."""

    run_id: str | None
    """Id of the run that wrote the message. Null for a user's message."""

    attachments: list[AttachmentV1] | None
    """Files attached to the message, as in OpenAI's API. Null or empty when there are none."""

    metadata: dict[str, str]
    """Pairs that the API client attached; at most 16, keys up to 64 and values up to 512 characters. Empty when there are none."""

    sender_id: NotRequired[str | None]
    """Id of the user who sent the message, as the API client knows users. Null or absent where that is not known."""


class RunReferenceV1(TypedDict):
    """Names a run and its thread; whoever needs the rest reads the run itself."""

    id: str
    """Id of the run, as the API shows it."""

    thread_id: str
    """Id of the thread the run belongs to. The Kafka key of everything about this run."""


class TextV1(TypedDict):
    """Text of the part. Present when type is text."""

    value: str
    """The text itself."""

    annotations: list[dict[str, Any]]
    """File citations and file paths in the text, as in OpenAI's API. Empty when there are none."""


class ThreadReferenceV1(TypedDict):
    """Names a thread without its contents."""

    id: str
    """Id of the thread, as the API shows it."""
