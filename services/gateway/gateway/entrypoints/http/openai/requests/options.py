"""How a run goes about its work: response format, tool choice, truncation, effort."""

from typing import Annotated, Any, Literal, Protocol

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from gateway.entrypoints.http.openai.requests.fields import (
    LARGEST_INTEGER,
    WHOLE,
    Body,
    Identifier,
    LongText,
    kind_of,
    tag,
    text_or,
)

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class PlainFormat(Body):
    """Plain text, or any JSON object."""

    type: Literal["text", "json_object"]

    def stored(self) -> dict[str, Any]:
        """Return the format as given."""
        return {"type": self.type}


class JsonSchema(Body):
    """A named schema; `schema` is kept as it is."""

    name: Identifier
    description: LongText | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class JsonSchemaFormat(Body):
    """JSON that fits a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema

    def stored(self) -> dict[str, Any]:
        """Return the format as given, without what is null."""
        given = self.json_schema
        fields = {
            "name": given.name,
            "description": given.description,
            "schema": given.schema_,
            "strict": given.strict,
        }
        shown = {name: value for name, value in fields.items() if value is not None}
        return {"type": self.type, "json_schema": shown}


ResponseFormat = Annotated[
    Annotated[Literal["auto"], Tag(tag(f"{WHOLE}text"))]
    | Annotated[PlainFormat, Tag(tag("text"))]
    | Annotated[PlainFormat, Tag(tag("json_object"))]
    | Annotated[JsonSchemaFormat, Tag(tag("json_schema"))],
    Discriminator(text_or(kind_of)),
]


class NamedFunction(Body):
    """The name of a function."""

    name: Identifier


class FunctionChoice(Body):
    """This function has to be called."""

    type: Literal["function"]
    function: NamedFunction

    def stored(self) -> dict[str, Any]:
        """Return the choice as given."""
        return {"type": self.type, "function": {"name": self.function.name}}


class BuiltInChoice(Body):
    """This built-in tool has to be used."""

    type: Literal["code_interpreter", "file_search"]

    def stored(self) -> dict[str, Any]:
        """Return the choice as given."""
        return {"type": self.type}


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag(tag(f"{WHOLE}text"))]
    | Annotated[FunctionChoice, Tag(tag("function"))]
    | Annotated[BuiltInChoice, Tag(tag("code_interpreter"))]
    | Annotated[BuiltInChoice, Tag(tag("file_search"))],
    Discriminator(text_or(kind_of)),
]


class TruncationStrategy(Body):
    """How much of the thread a run sees."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"type": {"const": "last_messages"}}},
            "then": {"properties": {"last_messages": {"type": "integer"}}, "required": ["last_messages"]},
        }
    )

    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] | None = None

    @model_validator(mode="after")
    def _needs_a_number(self) -> "TruncationStrategy":
        if self.type == "last_messages" and self.last_messages is None:
            raise PydanticCustomError("missing_member", "no number", {"member": "last_messages"})
        return self

    def stored(self) -> dict[str, Any]:
        """Return the strategy; a number beside `auto` means nothing and is dropped."""
        return {"type": self.type, "last_messages": self.last_messages if self.type == "last_messages" else None}


class Storable(Protocol):
    """A choice that is no single word."""

    def stored(self) -> dict[str, Any]:
        """Return it as it is kept and shown."""
        ...


def stored_choice(choice: str | Storable) -> Any:
    """Return a response format or a tool choice as it is kept and shown: a word, or an object."""
    return choice if isinstance(choice, str) else choice.stored()
