"""Bodies that create and modify assistants."""

from typing import Any

from run_engine.domain.drafts import Changes, NewAssistant

from gateway.application.identities import NewIds
from gateway.entrypoints.http.openai.requests.fields import (
    Body,
    Description,
    LongText,
    Metadata,
    Model,
    Name,
    Temperature,
    TopP,
)
from gateway.entrypoints.http.openai.requests.options import ReasoningEffort, ResponseFormat, stored_choice
from gateway.entrypoints.http.openai.requests.tools import (
    AssistantTools,
    NewToolResources,
    ToolResources,
    stored_tools,
)


class _Settable(Body):
    """What both may set."""

    name: Name | None = None
    description: Description | None = None
    instructions: LongText | None = None
    tools: AssistantTools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None


class CreateAssistant(_Settable):
    """The body of POST /assistants."""

    model: Model
    tool_resources: NewToolResources | None = None

    def draft(self, new_ids: NewIds) -> NewAssistant:
        """Return the assistant to be stored."""
        return NewAssistant(
            id=new_ids.assistant(),
            model=self.model,
            name=self.name,
            description=self.description,
            instructions=self.instructions,
            tools=stored_tools(self.tools or []),
            tool_resources=self.tool_resources.stored() if self.tool_resources else None,
            metadata=self.metadata or {},
            temperature=self.temperature,
            top_p=self.top_p,
            response_format=None if self.response_format is None else stored_choice(self.response_format),
            reasoning_effort=self.reasoning_effort,
        )


class ModifyAssistant(_Settable):
    """The body of POST /assistants/{id}. What is not given stays; null empties what may be empty."""

    model: Model | None = None
    tool_resources: ToolResources | None = None

    def changes(self) -> Changes:
        """Return the fields to change. Model and tools cannot be empty: null leaves them."""
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if self.model is None:
            changes.pop("model", None)
        if self.tools is None:
            changes.pop("tools", None)
        else:
            changes["tools"] = stored_tools(self.tools)
        if self.tool_resources is not None:
            changes["tool_resources"] = self.tool_resources.stored()
        if self.response_format is not None:
            changes["response_format"] = stored_choice(self.response_format)
        return changes
