"""Whether the answers of an assistant are of use before they are whole. Pure; for dialects that stream no others."""

from typing import Final

from run_engine.domain.objects import Assistant

_WHOLE_ALONE: Final = frozenset({"json_object", "json_schema"})


def can_be_streamed(assistant: Assistant) -> bool:
    """False where its answers are JSON, which says nothing in parts, or its metadata says `"streaming": "off"`."""
    if assistant.metadata.get("streaming") == "off":
        return False
    wanted = assistant.response_format
    return not (isinstance(wanted, dict) and wanted.get("type") in _WHOLE_ALONE)
