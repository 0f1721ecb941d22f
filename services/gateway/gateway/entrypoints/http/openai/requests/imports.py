"""The body of an import: `{"objects": [...]}`, or one object a line, each checked by itself.

What kind of body it is shows by itself, so that the type a client names for it does not matter: `curl` names the one of
forms unless it is told otherwise. Called by `operations.imports`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from pydantic import ValidationError
from run_engine.domain.imports import ImportedObject

from gateway.entrypoints.http.json_values import NUL
from gateway.entrypoints.http.openai.refusals import Refusal, clip
from gateway.entrypoints.http.openai.requests.imported import Imported
from gateway.entrypoints.http.openai.requests.imported_objects import (
    ImportedAssistant,
    ImportedFile,
    ImportedMessage,
    ImportedThread,
)
from gateway.entrypoints.http.openai.requests.imported_people import ImportedTool, ImportedUser
from gateway.entrypoints.http.openai.requests.imported_runs import ImportedRun
from gateway.entrypoints.http.openai.requests.imported_steps import ImportedStep
from gateway.entrypoints.http.openai.requests.parsing import no_object, refuse_depth, refuse_nul, unparsable
from gateway.entrypoints.http.openai.requests.wording import choices, refusal_of_violations, type_name

MOST_OBJECTS: Final = 10_000
"""Objects that one request may bring: so many are written in a second or two, within the time of a statement."""

KINDS: Final[Mapping[str, type[Imported]]] = {
    "assistant": ImportedAssistant,
    "file": ImportedFile,
    "user": ImportedUser,
    "tool": ImportedTool,
    "thread": ImportedThread,
    "thread.message": ImportedMessage,
    "thread.run": ImportedRun,
    "thread.run.step": ImportedStep,
}
"""What can be imported, by the word of the API."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no JSON."""

    refusal: Refusal


def objects_in(body: bytes) -> Sequence[Any]:
    """Return the objects of a body, whatever they are; `Unreadable` for lines that are none. Raises `Refusal`."""
    try:
        value = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        found = _lines(body)
        if not any(isinstance(each, dict) for each in found):
            raise unparsable(error) from None
    else:
        found = _objects_of(value)
    if len(found) > MOST_OBJECTS:
        message = (
            f"Invalid 'objects': array too long. "
            f"Expected an array with maximum length {MOST_OBJECTS}, but got an array with length {len(found)} instead."
        )
        raise Refusal(400, message, param="objects", code="array_above_max_length")
    return found


def _objects_of(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        raise no_object(value)
    if "objects" in value:
        found = value["objects"]
        if isinstance(found, list):
            return found
        message = f"Invalid type for 'objects': expected an array of objects, but got {type_name(found)} instead."
        raise Refusal(400, message, param="objects", code="invalid_type")
    if value.get("object") in KINDS:
        return [value]
    raise Refusal(400, "Missing required parameter: 'objects'.", param="objects", code="missing_required_parameter")


def _lines(body: bytes) -> list[Any]:
    found: list[Any] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                refusal = unparsable(error)
                found.append(Unreadable(Refusal(400, f"Line {number} is no JSON: {refusal.message}")))
    return found


def object_of(value: Any, tenant_id: str, *, may_have_nul: bool = True) -> tuple[ImportedObject, set[str]]:
    """Return one object, and the names of its fields that are not kept. Raises `Refusal`."""
    if isinstance(value, Unreadable):
        raise value.refusal
    if not isinstance(value, dict):
        message = f"Invalid type: expected an object, but got {type_name(value)} instead."
        raise Refusal(400, message, code="invalid_type")
    refuse_depth(value)
    if may_have_nul:
        refuse_nul(value)
    kind = _kind(value)
    try:
        return kind.model_validate(value).imported(tenant_id, value), kind.unknown_fields(value)
    except ValidationError as error:
        raise refusal_of_violations(error) from None


def may_have_nul(body: bytes) -> bool:
    """Whether any text in a body may contain U+0000."""
    return NUL in body


def _kind(value: Mapping[str, Any]) -> type[Imported]:
    word = value.get("object")
    if isinstance(word, str) and word in KINDS:
        return KINDS[word]
    if "object" not in value:
        raise Refusal(400, "Missing required parameter: 'object'.", param="object", code="missing_required_parameter")
    if not isinstance(word, str):
        message = f"Invalid type for 'object': expected a string, but got {type_name(word)} instead."
        raise Refusal(400, message, param="object", code="invalid_type")
    message = f"Invalid value: '{clip(word)}'. Supported values are: {choices(list(KINDS), 'and')}."
    raise Refusal(400, message, param="object", code="invalid_value")
