"""Bodies of version 1 that create threads and messages, and modify threads."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from gateway.entrypoints.http.openai.requests.fields import Metadata, ObjectId, Several
from gateway.entrypoints.http.openai.requests.messages import MOST_MESSAGES, ContentText
from gateway.entrypoints.http.openai.version_1.requests.translated import Translated, replaced, without

MOST_FILES: Final = 10
"""Of a message."""
_TOOLS: Final = ({"type": "file_search"}, {"type": "code_interpreter"})
"""What a message's files were for: whichever of the two the assistant had."""


class CreateMessage(Translated):
    """The body of POST …/messages; also an element of a thread's messages and of additional_messages."""

    role: Literal["user", "assistant"]
    content: ContentText
    file_ids: Annotated[Several[ObjectId], Field(max_length=MOST_FILES)] | None = None
    metadata: Metadata | None = None

    @classmethod
    def as_version_2(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body of version 2, with the files as attachments."""
        body, files = without(given, "file_ids"), dict.fromkeys(given.get("file_ids") or ())
        return {**body, "attachments": [{"file_id": each, "tools": _TOOLS} for each in files]} if files else body


Messages = Annotated[Several[CreateMessage], Field(max_length=MOST_MESSAGES)]


class CreateThread(Translated):
    """The body of POST /threads, and `thread` of POST /threads/runs. All of it is optional."""

    messages: Messages | None = None
    metadata: Metadata | None = None

    @classmethod
    def as_version_2(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body of version 2."""
        return replaced(given, messages=messages_of_version_2(given.get("messages")))


class ModifyThread(Translated):
    """The body of POST /threads/{id}."""

    metadata: Metadata | None = None


def messages_of_version_2(messages: Sequence[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Return messages to be added as version 2 has them."""
    return [CreateMessage.as_version_2(each) for each in messages or ()]
