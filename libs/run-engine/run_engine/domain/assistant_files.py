"""The files of an assistant, which its tools share. Pure; used by the store and by the dialect of version 1.

They are the code interpreter's among the tool resources: that is where version 2 of OpenAI's API lists an assistant's
files by their ids. (It has those of file search in vector stores, of which an assistant names no more than the store.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from run_engine.domain.objects import Json

MOST_FILES: Final = 20
"""Of an assistant: OpenAI's limit, in both versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantFile:
    """A file that is attached to an assistant; `id` is the file's."""

    id: str
    assistant_id: str
    created_at: datetime
    """From when on there were both, the file and the assistant. When one was attached to the other is not kept."""


def files_of(tool_resources: Json | None) -> list[str]:
    """The ids of the files, in the order in which they were attached; each once."""
    interpreter = (tool_resources or {}).get("code_interpreter") or {}
    return list(dict.fromkeys(interpreter.get("file_ids") or ()))


def with_files(tool_resources: Json | None, file_ids: Sequence[str]) -> Json:
    """The tool resources with these files in place of the old; what other tools have stays."""
    resources = tool_resources or {}
    interpreter = resources.get("code_interpreter") or {}
    return {**resources, "code_interpreter": {**interpreter, "file_ids": list(dict.fromkeys(file_ids))}}
