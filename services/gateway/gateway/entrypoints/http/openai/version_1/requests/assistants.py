"""Bodies of version 1 that create and modify assistants."""

from typing import Any

from run_engine.domain.assistant_files import with_files

from gateway.entrypoints.http.openai.requests.fields import Description, LongText, Metadata, Model, Name
from gateway.entrypoints.http.openai.version_1.requests.tools import (
    AssistantFileIds,
    AssistantTools,
    tools_of_version_2,
)
from gateway.entrypoints.http.openai.version_1.requests.translated import Translated, replaced, without


class _Settable(Translated):
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

    @classmethod
    def as_version_2(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body of version 2, with the files among its tool resources."""
        body = replaced(without(given, "file_ids"), tools=tools_of_version_2(given.get("tools")))
        return {**body, "tool_resources": with_files(None, given["file_ids"])} if given.get("file_ids") else body


class ModifyAssistant(_Settable):
    """The body of POST /assistants/{id}."""

    model: Model | None = None

    @classmethod
    def as_version_2(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body of version 2 without the files: it could replace them only along with all resources."""
        return replaced(without(given, "file_ids"), tools=tools_of_version_2(given.get("tools")))
