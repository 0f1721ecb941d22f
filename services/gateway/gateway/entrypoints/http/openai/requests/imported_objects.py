"""Assistants, files, threads and messages that come from elsewhere."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag
from run_engine.domain.files import File
from run_engine.domain.objects import Assistant, Message, Thread
from run_engine.domain.status import MessageStatus

from gateway.entrypoints.http.openai.requests.fields import (
    Body,
    Description,
    Identifier,
    LongText,
    Metadata,
    Model,
    Name,
    ObjectId,
    Several,
    Temperature,
    TopP,
    kind_of,
    tag,
)
from gateway.entrypoints.http.openai.requests.imported import (
    OPEN,
    Given,
    Imported,
    Reference,
    Seconds,
    moment,
    moment_or_none,
)
from gateway.entrypoints.http.openai.requests.messages import AttachmentTool, ImageFilePart, ImageUrlPart
from gateway.entrypoints.http.openai.requests.options import ReasoningEffort, ResponseFormat
from gateway.entrypoints.http.openai.requests.tools import AssistantTools, ToolResources

FilePurpose = Literal[
    "assistants",
    "assistants_output",
    "batch",
    "batch_output",
    "fine-tune",
    "fine-tune-results",
    "vision",
    "user_data",
    "evals",
]
FileStatus = Literal["uploaded", "processed", "error"]


class ImportedAssistant(Imported):
    """An `assistant`."""

    object: Literal["assistant"]
    name: Name | None = None
    description: Description | None = None
    model: Model
    instructions: LongText | None = None
    tools: AssistantTools | None = None
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None

    def imported(self, tenant_id: str, given: Given) -> Assistant:
        """Return the object to be stored."""
        return Assistant(
            id=self.id,
            created_at=moment(self.created_at),
            name=self.name,
            description=self.description,
            model=self.model,
            instructions=self.instructions,
            tools=given.get("tools") or [],
            tool_resources=given.get("tool_resources"),
            metadata=self.metadata or {},
            temperature=self.temperature,
            top_p=self.top_p,
            response_format=given.get("response_format"),
            reasoning_effort=self.reasoning_effort,
        )


class ImportedFile(Imported):
    """A `file`, without its bytes."""

    object: Literal["file"]
    bytes: Annotated[int, Field(ge=0, le=2**63 - 1)]
    filename: Annotated[str, Field(min_length=1, max_length=1024)]
    purpose: FilePurpose
    status: FileStatus = "processed"
    status_details: str | None = None
    expires_at: Seconds | None = None

    def imported(self, tenant_id: str, given: Given) -> File:
        """Return the object to be stored."""
        return File(
            id=self.id,
            created_at=moment(self.created_at),
            bytes=self.bytes,
            filename=self.filename,
            purpose=self.purpose,
            status=self.status,
            status_details=self.status_details,
            expires_at=moment_or_none(self.expires_at),
            storage_key=None,
        )


class ImportedThread(Imported):
    """A `thread`. Without `participants` those who take part in it still do."""

    object: Literal["thread"]
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    title: LongText | None = None
    assistant_id: Reference | None = None
    participants: Several[ObjectId] | None = None

    def imported(self, tenant_id: str, given: Given) -> Thread:
        """Return the object to be stored."""
        return Thread(
            id=self.id,
            created_at=moment(self.created_at),
            metadata=self.metadata or {},
            tool_resources=given.get("tool_resources"),
            active_run=None,
            title=self.title,
            assistant_id=self.assistant_id,
            participants=None if self.participants is None else tuple(dict.fromkeys(self.participants)),
        )


class ImportedText(Body):
    """A text with what refers to it."""

    model_config = OPEN

    value: str
    annotations: Several[dict[str, Any]] | None = None


class ImportedTextPart(Body):
    """A piece of text."""

    model_config = OPEN

    type: Literal["text"]
    text: ImportedText


class RefusalPart(Body):
    """What a model said instead of an answer."""

    model_config = OPEN

    type: Literal["refusal"]
    refusal: str


Part = Annotated[
    Annotated[ImportedTextPart, Tag(tag("text"))]
    | Annotated[RefusalPart, Tag(tag("refusal"))]
    | Annotated[ImageFilePart, Tag(tag("image_file"))]
    | Annotated[ImageUrlPart, Tag(tag("image_url"))],
    Discriminator(kind_of),
]


class ImportedAttachment(Body):
    """A file of a message."""

    model_config = OPEN

    file_id: str | None = None
    tools: Several[AttachmentTool] | None = None


class MessageIncomplete(Body):
    """Why a message has an end before its end."""

    reason: Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"]


class WrittenFunction(Body):
    """A function as a message of a client names it."""

    name: Identifier
    arguments: str


class WrittenCall(Body):
    """A call in a message of a client, as chat completions have it."""

    id: ObjectId
    type: Literal["function"]
    function: WrittenFunction


class ImportedMessage(Imported):
    """A `thread.message`, of a tool too."""

    object: Literal["thread.message"]
    thread_id: Identifier
    status: Literal["in_progress", "incomplete", "completed"] | None = None
    incomplete_details: MessageIncomplete | None = None
    completed_at: Seconds | None = None
    incomplete_at: Seconds | None = None
    role: Literal["user", "assistant", "tool"]
    content: Several[Part]
    assistant_id: Reference | None = None
    run_id: Reference | None = None
    attachments: Several[ImportedAttachment] | None = None
    metadata: Metadata | None = None
    sender_id: Reference | None = None
    tool_calls: Several[WrittenCall] | None = None
    tool_call_id: Reference | None = None

    def imported(self, tenant_id: str, given: Given) -> Message:
        """Return the object to be stored."""
        return Message(
            id=self.id,
            thread_id=self.thread_id,
            created_at=moment(self.created_at),
            status=MessageStatus(self.status or "completed"),
            incomplete_details=given.get("incomplete_details"),
            completed_at=moment_or_none(self.completed_at),
            incomplete_at=moment_or_none(self.incomplete_at),
            role=self.role,
            content=[_whole(part) for part in given["content"]],
            assistant_id=self.assistant_id,
            run_id=self.run_id,
            attachments=given.get("attachments"),
            metadata=self.metadata or {},
            sender_id=self.sender_id,
            tool_calls=given.get("tool_calls"),
            tool_call_id=self.tool_call_id,
        )


def _whole(part: dict[str, Any]) -> dict[str, Any]:
    # Not every dump has the empty list, and no reply is without it.
    if part["type"] != "text" or part["text"].get("annotations") is not None:
        return part
    return {**part, "text": {**part["text"], "annotations": []}}
