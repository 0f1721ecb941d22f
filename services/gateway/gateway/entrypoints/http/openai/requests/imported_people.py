"""Users and kept tools that come from another installation: OpenAI's API has neither."""

from typing import Annotated, Any, Literal

from pydantic import Field
from run_engine.domain.objects import Tool, User

from gateway.entrypoints.http.openai.requests.fields import Body, LongText, Metadata, ObjectId, Several
from gateway.entrypoints.http.openai.requests.imported import OPEN, Given, Imported, moment


class ImportedUser(Imported):
    """A `user`, whose id may be one of another system. Without `assistant_ids` they keep the assistants they have."""

    id: ObjectId
    object: Literal["user"]
    name: LongText | None = None
    metadata: Metadata | None = None
    assistant_ids: Several[ObjectId] | None = None

    def imported(self, tenant_id: str, given: Given) -> User:
        """Return the object to be stored."""
        return User(
            id=self.id,
            created_at=moment(self.created_at),
            name=self.name,
            metadata=self.metadata or {},
            assistant_ids=None if self.assistant_ids is None else tuple(dict.fromkeys(self.assistant_ids)),
        )


class KeptFunction(Body):
    """The definition of a function, kept as it is."""

    model_config = OPEN

    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: LongText | None = None
    parameters: dict[str, Any] | None = None


class ImportedTool(Imported):
    """A `tool`: a function that is kept under a name."""

    object: Literal["tool"]
    name: LongText
    function: KeptFunction

    def imported(self, tenant_id: str, given: Given) -> Tool:
        """Return the object to be stored."""
        return Tool(id=self.id, created_at=moment(self.created_at), name=self.name, function=given["function"])
