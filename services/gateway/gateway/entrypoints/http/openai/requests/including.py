"""`include[]` of runs and steps: it asks for results of file search, which is not offered to models yet."""

from typing import Final
from urllib.parse import parse_qsl

from gateway.entrypoints.http.openai.refusals import Refusal, clip
from gateway.entrypoints.http.openai.requests.wording import choices

_KNOWN: Final = "step_details.tool_calls[*].file_search.results[*].content"
_NAMES: Final = frozenset({"include[]", "include"})


def check_include(query: bytes) -> None:
    """Accept what the API knows, which adds nothing here. Raises `Refusal` for anything else: it would never come."""
    if b"include" not in query:
        return
    for name, value in parse_qsl(query.decode("latin-1")):
        if name in _NAMES and value != _KNOWN:
            message = f"Invalid value: '{clip(value)}'. Supported values are: {choices([_KNOWN], 'and')}."
            raise Refusal(400, message, param="include", code="invalid_value")
