"""The form of an upload, the names that files may have, and which part of a file is asked for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import Field, ValidationError, WithJsonSchema

from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.requests.fields import Body
from gateway.entrypoints.http.openai.requests.wording import refusal_of_violations

_MEMBER: Final = re.compile(r"(\w{1,64})\[(\w{1,64})\]")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_RANGE: Final = re.compile(rb"bytes=([0-9]{0,18})-([0-9]{0,18})")


class ExpiresAfter(Body):
    """When a file is deleted by itself."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


def _never_null(schema: dict[str, Any]) -> None:
    # A form has no null.
    schema.update(schema.pop("anyOf")[0])


class CreateFile(Body):
    """The form of POST /files."""

    # The file itself has been taken out, and True holds its place.
    file: Annotated[Literal[True], WithJsonSchema({"type": "string", "format": "binary"})]
    purpose: Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
    expires_after: Annotated[ExpiresAfter | None, Field(json_schema_extra=_never_null)] = None

    @property
    def lifetime(self) -> timedelta | None:
        """How long the file lives."""
        return timedelta(seconds=self.expires_after.seconds) if self.expires_after else None


def create_file(fields: Mapping[str, str], *, has_file: bool) -> CreateFile:
    """Return the request of a form. `fields` are those that are no files; `expires_after[seconds]` is how forms write
    a member of an object. Raises `Refusal`."""
    given: dict[str, Any] = {}
    for name, value in fields.items():
        member = _MEMBER.fullmatch(name)
        if member is None:
            given[name] = value
        else:
            holder = given.setdefault(member[1], {})
            if isinstance(holder, dict):
                holder[member[2]] = int(value) if _INTEGER.fullmatch(value) else value
    if "file" in given:
        message = "Invalid type for 'file': expected a file, but got a string instead."
        raise Refusal(400, message, param="file", code="invalid_type")
    if has_file:
        given["file"] = True
    try:
        return CreateFile.model_validate(given)
    except ValidationError as error:
        raise refusal_of_violations(error) from None


def disposition(filename: str) -> bytes:
    """Return a Content-Disposition that saves under `filename`, in ASCII and as it is."""
    plain = "".join(each if " " <= each <= "~" and each not in '"\\%;' else "_" for each in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to and without `end`. `partial`: a range was asked for."""

    start: int
    end: int
    partial: bool


def span(header: bytes | None, size: int) -> Span:
    """Return what a Range header asks for of `size` bytes. Anything but one range means all of it, as RFC 9110 allows.

    Raises `Refusal` (416) for a range that begins behind the end.
    """
    asked = _RANGE.fullmatch(header.strip()) if header else None
    if asked is None or asked[0] == b"bytes=-":
        return Span(0, size, partial=False)
    if not asked[1]:
        start, end = max(0, size - int(asked[2])), size
    else:
        start, end = int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size
        if asked[2] and int(asked[2]) < start:
            return Span(0, size, partial=False)
    if start >= size:
        raise Refusal(
            416,
            f"The requested range is not satisfiable: the file has {size} bytes.",
            code="invalid_range",
            headers=((b"content-range", b"bytes */%d" % size),),
        )
    return Span(start, end, partial=True)
