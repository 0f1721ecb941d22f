"""The building blocks of request models: the base model, limited texts and numbers, metadata, unions."""

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

_MOST_FIELDS: Final = 64
"""No object of the API has so many fields. Without a bound, each wrong one of a million would be reported."""

MOST_PAIRS: Final = 16
"""Of metadata."""

LARGEST_INTEGER: Final = 2**31 - 1
"""What the integer columns hold."""


class Body(BaseModel):
    """Base of all request models: nothing is converted, nothing unknown is accepted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > _MOST_FIELDS:
            known = {field.alias or name for name, field in cls.model_fields.items()}
            unknown = next(name for name in value if name not in known)
            raise PydanticCustomError("unknown_member", "unknown field", {"member": unknown})
        return value


def _few_pairs(value: Any) -> Any:
    if isinstance(value, dict) and len(value) > MOST_PAIRS:
        raise PydanticCustomError("too_many_pairs", "too many pairs", {"most": MOST_PAIRS, "got": len(value)})
    return value


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    BeforeValidator(_few_pairs),
    Field(json_schema_extra={"maxProperties": MOST_PAIRS}),
]
"""Up to 16 pairs, keys up to 64 characters, values up to 512."""

Name = Annotated[str, Field(max_length=256)]
Description = Annotated[str, Field(max_length=512)]
LONGEST_TEXT: Final = 256_000
LongText = Annotated[str, Field(max_length=LONGEST_TEXT)]
"""Instructions and texts of messages."""
Model = Annotated[str, Field(min_length=1, max_length=256)]
Identifier = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]+$", min_length=1, max_length=64)]
"""Names of functions and schemas."""
ObjectId = Annotated[str, Field(min_length=1, max_length=256)]
"""The id of a file or a vector store that a body names. Lists of them are not paged, so each has a limit."""
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
TokenLimit = Annotated[int, Field(ge=256, le=LARGEST_INTEGER)]

Element = TypeVar("Element")

# The first wrong element is enough to know; a list may have millions.
Several = Annotated[list[Element], Field(fail_fast=True)]

WHOLE: Final = "="
"""Begins the tag of a union's member that is no object with a `type`, but a text or a list."""


def tag(kind: str) -> str:
    """Return the tag of a union's member. Pydantic puts tags into the paths of errors; their form lets `wording` know
    them from fields."""
    return f"«{kind}»"


def kind_of(value: Any) -> str | None:
    """Tell the members of a union apart by their `type`."""
    kind = value.get("type") if isinstance(value, dict) else None
    return tag(kind) if isinstance(kind, str) else None


def text_or(otherwise: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """Tell texts from the rest, which `otherwise` tells apart. Texts have the tag `=text`."""
    return lambda value: tag(f"{WHOLE}text") if isinstance(value, str) else otherwise(value)
