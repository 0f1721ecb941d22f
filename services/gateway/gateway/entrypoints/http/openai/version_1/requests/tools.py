"""Tools and files, as assistants and runs of version 1 take them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag
from run_engine.domain.assistant_files import MOST_FILES

from gateway.entrypoints.http.openai.requests.fields import WHOLE, Body, ObjectId, Several, kind_of, tag, text_or
from gateway.entrypoints.http.openai.requests.options import FunctionChoice
from gateway.entrypoints.http.openai.requests.tools import CodeInterpreter, FunctionTool


class Retrieval(Body):
    """What version 2 calls file search."""

    type: Literal["retrieval"]


_Tool = Annotated[
    Annotated[CodeInterpreter, Tag(tag("code_interpreter"))]
    | Annotated[Retrieval, Tag(tag("retrieval"))]
    | Annotated[FunctionTool, Tag(tag("function"))],
    Discriminator(kind_of),
]
AssistantTools = Annotated[Several[_Tool], Field(max_length=128)]
RunTools = Annotated[Several[_Tool], Field(max_length=20)]

ToolChoice = Annotated[
    Annotated[Literal["none", "auto"], Tag(tag(f"{WHOLE}text"))]
    | Annotated[FunctionChoice, Tag(tag("function"))]
    | Annotated[CodeInterpreter, Tag(tag("code_interpreter"))]
    | Annotated[Retrieval, Tag(tag("retrieval"))],
    Discriminator(text_or(kind_of)),
]

AssistantFileIds = Annotated[Several[ObjectId], Field(max_length=MOST_FILES)]


class CreateAssistantFile(Body):
    """The body of POST /assistants/{id}/files."""

    file_id: ObjectId


def tools_of_version_2(tools: Sequence[Any] | None) -> list[Any]:
    """Return tools, or a choice of one, as version 2 has them."""
    return [{"type": "file_search"} if each == {"type": "retrieval"} else each for each in tools or ()]
