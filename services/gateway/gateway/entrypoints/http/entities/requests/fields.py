"""The building blocks of request models: the base model, limited texts, ids, and meta data of any JSON."""

from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from gateway.entrypoints.http.json_values import is_too_deep

MOST_PAIRS: Final = 16
LONGEST_KEY: Final = 64
LONGEST_VALUE: Final = 512
"""Limits of the engine's metadata. Values of `meta_data` that are no texts count by their JSON."""

NOT_A_TEXT: Final = "json:"
"""Begins a value of metadata that is another JSON value than a text, or a text that begins so itself."""


class Body(BaseModel):
    """Base of all request models. Unknown fields are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def kept(value: Any) -> str:
    """Return a value of `meta_data` as the engine keeps it: a text. `shown` gives the value back."""
    if isinstance(value, str) and not value.startswith(NOT_A_TEXT):
        return value
    return NOT_A_TEXT + orjson.dumps(value).decode()


def shown(text: str) -> Any:
    """Return the value that `kept` made a text of. Other texts are what they are."""
    if not text.startswith(NOT_A_TEXT):
        return text
    try:
        value = orjson.loads(text.removeprefix(NOT_A_TEXT))
    except orjson.JSONDecodeError:
        return text
    return text if is_too_deep(value) else value


def _few_pairs(value: Any) -> Any:
    # Asked first: without it, each wrong one of a million pairs would be reported.
    if isinstance(value, dict) and len(value) > MOST_PAIRS:
        raise PydanticCustomError("too_long", f"Dictionary should have at most {MOST_PAIRS} items after validation")
    return value


def _metadata(given: dict[str, Any]) -> dict[str, str]:
    texts = {key: kept(value) for key, value in given.items()}
    if any(len(text) > LONGEST_VALUE for text in texts.values()):
        raise PydanticCustomError("string_too_long", f"A value should have at most {LONGEST_VALUE} characters")
    return texts


MetaData = Annotated[
    dict[Annotated[str, Field(max_length=LONGEST_KEY)], Any],
    AfterValidator(_metadata),
    BeforeValidator(_few_pairs),
]
"""`meta_data`: up to 16 pairs with values of any JSON. Validated, it is what the engine keeps."""

Name = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=256_000)]
"""Instructions and contents of messages."""
GivenId = Annotated[str, Field(min_length=1, max_length=256)]
"""An id that a body names."""
