"""Bodies that create messages. Content is a text; the engine keeps it as a list with one part."""

from typing import Any, Final, Literal

from pydantic import field_validator
from run_engine.domain.drafts import NewMessage

from gateway.application.identities import NewIds
from gateway.entrypoints.http.entities.requests.fields import Body, GivenId, MetaData, Text

NO_PERSON: Final = frozenset({"assistant", "tool"})
"""What stands for a sender who is no user: the role."""


class CreateMessage(Body):
    """The body of POST /messages."""

    content: Text
    thread_id: GivenId
    sender_id: GivenId
    role: Literal["user", "assistant", "tool"] = "user"
    meta_data: MetaData | None = None

    @field_validator("role", mode="before")
    @classmethod
    def _lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @property
    def sender(self) -> str | None:
        """The user who sends it; None where the sender is the assistant or the tool itself."""
        return None if self.sender_id == self.role and self.role in NO_PERSON else self.sender_id

    def draft(self, new_ids: NewIds, sender_id: str | None) -> NewMessage:
        """Return the message to be stored; `sender_id` is the engine's id of the sender."""
        return NewMessage(
            id=new_ids.message(),
            role=self.role,
            content=_parts(self.content),
            metadata=self.meta_data or {},
            sender_id=sender_id,
        )


class SaveAssistantMessage(Body):
    """The body of POST /messages/assistant. Whatever else it says of the sender, it is the assistant."""

    content: Text
    thread_id: GivenId
    meta_data: MetaData | None = None

    def draft(self, new_ids: NewIds) -> NewMessage:
        """Return the message to be stored."""
        return NewMessage(
            id=new_ids.message(), role="assistant", content=_parts(self.content), metadata=self.meta_data or {}
        )


class AddToolMessage(Body):
    """The body of POST /messages/{message_id}/tool."""

    content: Text

    def draft(self, new_ids: NewIds) -> NewMessage:
        """Return the message to be stored."""
        return NewMessage(id=new_ids.message(), role="tool", content=_parts(self.content))


def _parts(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": {"value": text, "annotations": []}}]
