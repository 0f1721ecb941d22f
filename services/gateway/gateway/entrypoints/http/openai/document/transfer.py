"""The shapes of import and export."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from gateway.entrypoints.http.openai.document.objects import (
    AssistantObject,
    AttachmentObject,
    ErrorResponse,
    FileObject,
    MessageObject,
    Shape,
    TextContent,
    ThreadObject,
)
from gateway.entrypoints.http.openai.document.runs import RunObject, RunStepObject
from gateway.entrypoints.http.openai.requests.fields import Metadata
from gateway.entrypoints.http.openai.requests.imported_objects import (
    ImportedAssistant,
    ImportedFile,
    ImportedMessage,
    ImportedThread,
)
from gateway.entrypoints.http.openai.requests.imported_people import ImportedTool, ImportedUser
from gateway.entrypoints.http.openai.requests.imported_runs import ImportedRun
from gateway.entrypoints.http.openai.requests.imported_steps import ImportedStep
from gateway.entrypoints.http.openai.requests.imports import MOST_OBJECTS

Importable: TypeAlias = (
    ImportedAssistant
    | ImportedFile
    | ImportedUser
    | ImportedTool
    | ImportedThread
    | ImportedMessage
    | ImportedRun
    | ImportedStep
)


class ExportedUser(Shape):
    """A user; the ids are of the assistants that they have."""

    id: str
    object: Literal["user"]
    created_at: int
    name: str | None
    metadata: Metadata
    assistant_ids: list[str] | None = None


class ExportedTool(Shape):
    """A function that is kept under a name."""

    id: str
    object: Literal["tool"]
    created_at: int
    name: str
    function: dict[str, Any]


class ExportedThread(ThreadObject):
    """A thread, with what only other dialects know of it."""

    title: str | None = None
    assistant_id: str | None = None
    participants: list[str] | None = None


class ExportedMessage(MessageObject):
    """A message, with what only other dialects know of it."""

    sender_id: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class ExportedToolMessage(Shape):
    """A message of a tool, which the API's own lists do not have."""

    id: str
    object: Literal["thread.message"]
    created_at: int
    thread_id: str
    status: Literal["completed"]
    incomplete_details: None
    completed_at: int | None
    incomplete_at: None
    role: Literal["tool"]
    content: list[TextContent]
    assistant_id: str | None
    run_id: str | None
    attachments: list[AttachmentObject]
    metadata: Metadata
    sender_id: str | None = None
    tool_call_id: str | None = None


Exported: TypeAlias = (
    AssistantObject
    | FileObject
    | ExportedUser
    | ExportedTool
    | ExportedThread
    | ExportedMessage
    | ExportedToolMessage
    | RunObject
    | RunStepObject
)


class Import(Shape):
    """Objects as the API returns them, in any order. Fields that are not known here are passed over, and reported."""

    objects: Annotated[list[Importable], Field(max_length=MOST_OBJECTS)]


class Imported(Shape):
    """How many objects of each kind were stored."""

    assistant: int
    file: int
    thread: int
    message: Annotated[int, Field(alias="thread.message")]
    run: Annotated[int, Field(alias="thread.run")]
    step: Annotated[int, Field(alias="thread.run.step")]
    user: int | None = None
    tool: int | None = None


class RefusedObject(Shape):
    """An object that stands in the way of all: its place in the request, what it says it is, and what is wrong."""

    class Reason(Shape):
        """What is wrong with it."""

        message: str
        param: str | None
        code: str | None

    index: int
    id: str | None
    object: str | None
    error: Reason


class ImportReport(Shape):
    """What came of an import."""

    object: Literal["import"]
    imported: Imported
    refused: list[RefusedObject]
    ignored_fields: dict[str, list[str]]


class ImportRefused(ImportReport, ErrorResponse):
    """The report of an import of which nothing was stored, in the envelope of refusals."""
