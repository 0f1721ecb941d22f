"""Bodies of version 1 that create and modify assistants."""

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer
from run_engine.domain.assistant_files import with_files

from gateway.entrypoints.http.openai.requests.fields import Body, Description, LongText, Metadata, Model, Name
from gateway.entrypoints.http.openai.version_1.requests.tools import AssistantFileIds, AssistantTools


class _Settable(Body):
    """What both may set."""

    name: Name | None = None
    description: Description | None = None
    instructions: LongText | None = None
    tools: AssistantTools | None = None
    file_ids: AssistantFileIds | None = None
    metadata: Metadata | None = None


class CreateAssistant(_Settable):
    """The body of POST /assistants."""

    model: Model

    @model_serializer(mode="wrap")
    def _as_version_2(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = write(self)
        body.pop("file_ids", None)
        return {**body, "tool_resources": with_files(None, self.file_ids)} if self.file_ids else body


class ModifyAssistant(_Settable):
    """The body of POST /assistants/{id}. As one of version 2 it has no files: those it could only replace along with
    what other tools have."""

    model: Model | None = None

    @model_serializer(mode="wrap")
    def _as_version_2(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = write(self)
        body.pop("file_ids", None)
        return body
