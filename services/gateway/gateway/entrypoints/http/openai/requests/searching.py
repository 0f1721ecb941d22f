"""What a list of threads is narrowed to: `metadata[key]=value` in its query string. Ours; the original had no list."""

import re
from typing import Final
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.requests.fields import Metadata
from gateway.entrypoints.http.openai.requests.wording import refusal_of_violations

_PAIR: Final = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_WANTED: Final[TypeAdapter[dict[str, dict[str, str]]]] = TypeAdapter(dict[str, Metadata])


def wanted_metadata(query: bytes) -> dict[str, str]:
    """Return the pairs that the threads must have, with the limits of metadata. An empty value is one, too.

    Raises `Refusal`.
    """
    if b"metadata" not in query:
        return {}
    wanted: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True):
        pair = _PAIR.fullmatch(name)
        if pair is not None:
            wanted[pair[1]] = value
        elif name == "metadata":
            message = (
                "Invalid type for 'metadata': expected an object, as metadata[key]=value, but got a string instead."
            )
            raise Refusal(400, message, param="metadata", code="invalid_type")
    try:
        return _WANTED.validate_python({"metadata": wanted})["metadata"]
    except ValidationError as error:
        raise refusal_of_violations(error) from None
