"""Bodies that create and modify threads."""

from run_engine.domain.drafts import UNSET, NewThread, Unset
from run_engine.domain.objects import Json

from gateway.application.identities import NewIds
from gateway.entrypoints.http.openai.requests.fields import Body, Metadata
from gateway.entrypoints.http.openai.requests.messages import Messages, message_drafts
from gateway.entrypoints.http.openai.requests.tools import NewToolResources, ToolResources


class CreateThread(Body):
    """The body of POST /threads, and `thread` of POST /threads/runs. All of it is optional."""

    messages: Messages | None = None
    tool_resources: NewToolResources | None = None
    metadata: Metadata | None = None

    def draft(self, new_ids: NewIds) -> NewThread:
        """Return the thread to be stored with its messages."""
        return NewThread(
            id=new_ids.thread(),
            metadata=self.metadata or {},
            tool_resources=self.tool_resources.stored() if self.tool_resources else None,
            messages=message_drafts(self.messages, new_ids),
        )


class ModifyThread(Body):
    """The body of POST /threads/{id}. What is not given stays; null empties."""

    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None

    def new_metadata(self) -> dict[str, str] | Unset | None:
        """Return the metadata to merge into the old, if any; None empties."""
        return self.metadata if "metadata" in self.model_fields_set else UNSET

    def new_tool_resources(self) -> Json | Unset | None:
        """Return the tool resources to set, if any: they replace the old."""
        if "tool_resources" not in self.model_fields_set:
            return UNSET
        return self.tool_resources.stored() if self.tool_resources else None
