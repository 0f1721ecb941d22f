"""Tools: bodies that create and change kept ones, and the tools of an assistant's body."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from run_engine.domain.drafts import UNSET, NewTool
from run_engine.domain.objects import Json

from gateway.application.identities import NewIds
from gateway.entrypoints.http.entities.requests.fields import Body, Text

FunctionName = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]+$", min_length=1, max_length=64)]


class Function(Body):
    """A function that the model may call; `parameters` is a JSON Schema, kept as it is.

    The original's clients of some weeks put the definition into an object under `function` once more.
    """

    name: FunctionName | None = None
    description: Text | None = None
    parameters: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("function"), dict):
            return value["function"]
        return value

    def definition(self) -> Json:
        """Return it as chat completions have it, without what was not given."""
        return self.model_dump(exclude_none=True)


class CreateTool(Body):
    """The body of POST /tools. One name is enough: the tool's or the function's."""

    name: FunctionName | None = None
    type: Literal["function"] = "function"
    function: Function

    @model_validator(mode="after")
    def _needs_a_name(self) -> "CreateTool":
        if self.name is None and self.function.name is None:
            raise ValueError("A tool needs a name: its own or that of its function")
        return self

    def draft(self, new_ids: NewIds) -> NewTool:
        """Return the tool to be stored."""
        name = self.name or self.function.name or ""
        return NewTool(id=new_ids.tool(), name=name, function=self.function.definition())


class UpdateTool(Body):
    """The body of PUT /tools/{tool_id}. What is not given, or null, stays."""

    name: FunctionName | None = None
    type: Literal["function"] | None = None
    function: Function | None = None

    def changes(self) -> dict[str, Any]:
        """Return the fields to change."""
        return {
            "name": UNSET if self.name is None else self.name,
            "function": UNSET if self.function is None else self.function.definition(),
        }


class GivenTool(Body):
    """A tool in the body of an assistant."""

    type: Literal["function", "code_interpreter", "file_search"]
    function: Function | None = None

    @model_validator(mode="after")
    def _needs_a_function(self) -> "GivenTool":
        if self.type == "function" and (self.function is None or self.function.name is None):
            raise ValueError("A tool of type 'function' needs a function with a name")
        return self

    def stored(self) -> Json:
        """Return it as the engine keeps it."""
        if self.function is None or self.type != "function":
            return {"type": self.type}
        return {"type": self.type, "function": self.function.definition()}
