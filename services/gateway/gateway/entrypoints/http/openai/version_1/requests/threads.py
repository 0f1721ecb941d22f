"""Bodies of version 1 that create threads and messages, and modify threads."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from gateway.entrypoints.http.openai.requests.fields import Body, Metadata, ObjectId, Several
from gateway.entrypoints.http.openai.requests.messages import MOST_MESSAGES, ContentText

MOST_FILES: Final = 10
"""Of a message."""
_TOOLS: Final = ({"type": "file_search"}, {"type": "code_interpreter"})
"""What a message's files were for: whichever of the two the assistant had."""


class CreateMessage(Body):
    """The body of POST …/messages; also an element of a thread's messages and of additional_messages."""

    role: Literal["user", "assistant"]
    content: ContentText
    file_ids: Annotated[Several[ObjectId], Field(max_length=MOST_FILES)] | None = None
    metadata: Metadata | None = None

    @model_serializer(mode="wrap")
    def _as_version_2(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = write(self)
        body.pop("file_ids", None)
        if not self.file_ids:
            return body
        return {**body, "attachments": [{"file_id": each, "tools": _TOOLS} for each in dict.fromkeys(self.file_ids)]}


Messages = Annotated[Several[CreateMessage], Field(max_length=MOST_MESSAGES)]


class CreateThread(Body):
    """The body of POST /threads, and `thread` of POST /threads/runs. All of it is optional."""

    messages: Messages | None = None
    metadata: Metadata | None = None


class ModifyThread(Body):
    """The body of POST /threads/{id}."""

    metadata: Metadata | None = None
