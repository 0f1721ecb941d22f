"""The shapes of replies: assistants, threads, messages, files, models, and what all resources have in common.

They describe what `presenters/` makes; nothing is made from them. What is kept as it was sent is described by the model
that has checked it.
"""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from gateway.entrypoints.http.openai.requests.fields import Metadata
from gateway.entrypoints.http.openai.requests.imported_objects import FilePurpose, FileStatus, MessageIncomplete
from gateway.entrypoints.http.openai.requests.messages import AttachmentTool, ImageFilePart, ImageUrlPart
from gateway.entrypoints.http.openai.requests.options import ReasoningEffort, ResponseFormat
from gateway.entrypoints.http.openai.requests.tools import Tool, ToolResources

Item = TypeVar("Item")


class Shape(BaseModel):
    """Base of all shapes."""


class ErrorDetails(Shape):
    """What was refused and why; `message` is for people, `code` for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(Shape):
    """The envelope of every refusal."""

    error: ErrorDetails


class ListOf(Shape, Generic[Item]):
    """A part of a list. The ids of an empty one are null."""

    object: Literal["list"]
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


class AssistantObject(Shape):
    """An assistant."""

    id: str
    object: Literal["assistant"]
    created_at: int
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[Tool]
    tool_resources: ToolResources
    metadata: Metadata
    temperature: float
    top_p: float
    response_format: ResponseFormat
    reasoning_effort: ReasoningEffort | None


class AssistantDeleted(Shape):
    """An assistant is gone."""

    id: str
    object: Literal["assistant.deleted"]
    deleted: Literal[True]


class AssistantFileObject(Shape):
    """A file that is attached to an assistant; the id is the file's. Of version 1."""

    id: str
    object: Literal["assistant.file"]
    created_at: int
    assistant_id: str


class AssistantFileDeleted(Shape):
    """A file is no longer attached to an assistant. Of version 1."""

    id: str
    object: Literal["assistant.file.deleted"]
    deleted: Literal[True]


class ThreadObject(Shape):
    """A thread."""

    id: str
    object: Literal["thread"]
    created_at: int
    tool_resources: ToolResources
    metadata: Metadata


class ThreadDeleted(Shape):
    """A thread is gone, with all that was in it."""

    id: str
    object: Literal["thread.deleted"]
    deleted: Literal[True]


class Text(Shape):
    """A text, and what refers to it."""

    value: str
    annotations: list[dict[str, Any]]


class TextContent(Shape):
    """A piece of text."""

    type: Literal["text"]
    text: Text


class RefusalContent(Shape):
    """What a model said instead of an answer."""

    type: Literal["refusal"]
    refusal: str


class AttachmentObject(Shape):
    """A file of a message, and the tools it is for."""

    file_id: str | None = None
    tools: list[AttachmentTool] | None = None


class MessageObject(Shape):
    """A message of a thread."""

    id: str
    object: Literal["thread.message"]
    created_at: int
    thread_id: str
    status: Literal["in_progress", "incomplete", "completed"]
    incomplete_details: MessageIncomplete | None
    completed_at: int | None
    incomplete_at: int | None
    role: Literal["user", "assistant"]
    content: list[TextContent | RefusalContent | ImageFilePart | ImageUrlPart]
    assistant_id: str | None
    run_id: str | None
    attachments: list[AttachmentObject]
    metadata: Metadata


class MessageFileObject(Shape):
    """A file that is attached to a message; the id is the file's. Of version 1."""

    id: str
    object: Literal["thread.message.file"]
    created_at: int
    message_id: str


class MessageDeleted(Shape):
    """A message is gone."""

    id: str
    object: Literal["thread.message.deleted"]
    deleted: Literal[True]


class FileObject(Shape):
    """A file, without its bytes."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: FilePurpose
    status: FileStatus
    expires_at: int = 0
    status_details: str = ""


class FileDeleted(Shape):
    """A file is gone, with its bytes."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]


class ModelObject(Shape):
    """A model that runs may use."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Shape):
    """All of them."""

    object: Literal["list"]
    data: list[ModelObject]
