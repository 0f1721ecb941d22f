"""Bodies that create and change assistants."""

from typing import Annotated, Any, Literal

from pydantic import Field
from run_engine.domain.drafts import Changes, NewAssistant

from gateway.application.identities import NewIds
from gateway.entrypoints.http.entities.requests.fields import Body, GivenId, MetaData, Name, Text
from gateway.entrypoints.http.entities.requests.tools import GivenTool

Model = Annotated[str, Field(min_length=1, max_length=256)]


class _Settable(Body):
    """What both may set."""

    name: Name | None = None
    description: Annotated[str, Field(max_length=512)] | None = None
    instructions: Text | None = None
    tools: Annotated[list[GivenTool], Field(fail_fast=True, max_length=128)] | None = None
    meta_data: MetaData | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    response_format: Literal["auto", "text", "json_object"] | None = None

    def stored(self) -> dict[str, Any]:
        """Return what was given, under the engine's names and in its shapes."""
        names = {"meta_data": "metadata"}
        fields = {names.get(name, name): getattr(self, name) for name in self.model_fields_set & _NAMES}
        if self.tools is not None:
            fields["tools"] = [tool.stored() for tool in self.tools]
        if self.response_format is not None and self.response_format != "auto":
            fields["response_format"] = {"type": self.response_format}
        return fields


_NAMES = frozenset(_Settable.model_fields)


class CreateAssistant(_Settable):
    """The body of POST /assistants. With `user_id`, the user has the assistant from the beginning."""

    model: Model
    user_id: GivenId | None = None

    def draft(self, new_ids: NewIds) -> NewAssistant:
        """Return the assistant to be stored."""
        given = {name: value for name, value in self.stored().items() if value is not None}
        return NewAssistant(id=new_ids.assistant(), model=self.model, **given)


class UpdateAssistant(_Settable):
    """The body of PUT /assistants/{assistant_id}. What is not given stays."""

    model: Model | None = None

    def changes(self) -> Changes:
        """Return the fields to change. Null leaves model and tools, and empties what may be empty."""
        changes = self.stored()
        if self.tools is None:
            changes.pop("tools", None)
        if self.model is not None:
            changes["model"] = self.model
        return changes
