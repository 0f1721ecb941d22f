"""Messages to be added, and the query of a message list."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag
from run_engine.domain.drafts import NewMessage

from gateway.application.identities import NewIds
from gateway.entrypoints.http.openai.requests.fields import (
    WHOLE,
    Body,
    LongText,
    Metadata,
    ObjectId,
    Several,
    kind_of,
    tag,
    text_or,
)

MOST_MESSAGES = 10_000
"""Messages that one request may bring. OpenAI took 32; so many are written in less than a second, and ten times as many
would not be before the statement is given up."""

ContentText = Annotated[LongText, Field(min_length=1)]


class TextPart(Body):
    """A piece of text: a bare string on the way in, an object on the way out."""

    type: Literal["text"]
    text: ContentText

    def stored(self) -> dict[str, Any]:
        """Return the part as it is kept and shown."""
        return stored_text(self.text)


class ImageFile(Body):
    """An uploaded image."""

    file_id: ObjectId
    detail: Literal["auto", "low", "high"] | None = None


class ImageFilePart(Body):
    """An uploaded image in a message."""

    type: Literal["image_file"]
    image_file: ImageFile

    def stored(self) -> dict[str, Any]:
        """Return the part with its default."""
        shown = {"file_id": self.image_file.file_id, "detail": self.image_file.detail or "auto"}
        return {"type": self.type, "image_file": shown}


class ImageUrl(Body):
    """An image on the web, or in the URL itself."""

    # In the common language of patterns, because the document of the API shows it: that has no word for "any case".
    url: Annotated[str, Field(pattern="^([Hh][Tt][Tt][Pp][Ss]?://.|[Dd][Aa][Tt][Aa]:[Ii][Mm][Aa][Gg][Ee]/.)")]
    detail: Literal["auto", "low", "high"] | None = None


class ImageUrlPart(Body):
    """An image by its address in a message."""

    type: Literal["image_url"]
    image_url: ImageUrl

    def stored(self) -> dict[str, Any]:
        """Return the part with its default."""
        return {"type": self.type, "image_url": {"url": self.image_url.url, "detail": self.image_url.detail or "auto"}}


Part = Annotated[
    Annotated[TextPart, Tag(tag("text"))]
    | Annotated[ImageFilePart, Tag(tag("image_file"))]
    | Annotated[ImageUrlPart, Tag(tag("image_url"))],
    Discriminator(kind_of),
]


def _parts(value: Any) -> str | None:
    return tag(f"{WHOLE}parts") if isinstance(value, list) else None


Content = Annotated[
    Annotated[ContentText, Tag(tag(f"{WHOLE}text"))]
    | Annotated[Annotated[Several[Part], Field(min_length=1)], Tag(tag(f"{WHOLE}parts"))],
    Discriminator(text_or(_parts)),
]


class AttachmentTool(Body):
    """A tool that a file is attached for."""

    type: Literal["code_interpreter", "file_search"]


class Attachment(Body):
    """A file of a message; kept."""

    file_id: ObjectId
    tools: Annotated[Several[AttachmentTool], Field(max_length=2)]


class CreateMessage(Body):
    """The body of POST …/messages; also an element of a thread's messages and of additional_messages."""

    role: Literal["user", "assistant"]
    content: Content
    attachments: Several[Attachment] | None = None
    metadata: Metadata | None = None

    def draft(self, new_ids: NewIds) -> NewMessage:
        """Return the message to be stored."""
        content = self.content
        return NewMessage(
            id=new_ids.message(),
            role=self.role,
            content=[stored_text(content)] if isinstance(content, str) else [part.stored() for part in content],
            attachments=[each.model_dump() for each in self.attachments] if self.attachments else None,
            metadata=self.metadata or {},
        )


class ModifyMessage(Body):
    """The body of POST …/messages/{id}."""

    metadata: Metadata | None = None


Messages = Annotated[Several[CreateMessage], Field(max_length=MOST_MESSAGES)]


def message_drafts(messages: Sequence[CreateMessage] | None, new_ids: NewIds) -> list[NewMessage]:
    """Return the messages to be stored, in order."""
    return [message.draft(new_ids) for message in messages or ()]


def stored_text(text: str) -> dict[str, Any]:
    """Return a text part as it is kept and shown."""
    return {"type": "text", "text": {"value": text, "annotations": []}}
