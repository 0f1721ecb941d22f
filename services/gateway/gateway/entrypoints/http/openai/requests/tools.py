"""Tools and tool resources, as assistants, threads and runs take them."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from gateway.entrypoints.http.openai.requests.fields import (
    Body,
    Identifier,
    LongText,
    Metadata,
    ObjectId,
    Several,
    kind_of,
    tag,
)


class CodeInterpreter(Body):
    """The code interpreter; kept, not offered to models yet."""

    type: Literal["code_interpreter"]

    def stored(self) -> dict[str, Any]:
        """Return the tool as it is kept and shown."""
        return {"type": self.type}


class RankingOptions(Body):
    """How results are ranked."""

    ranker: Literal["auto", "default_2024_08_21"] | None = None
    score_threshold: Annotated[float, Field(ge=0, le=1)]


class FileSearchOptions(Body):
    """Limits of a search."""

    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    ranking_options: RankingOptions | None = None


class FileSearch(Body):
    """File search; kept, not offered to models yet."""

    type: Literal["file_search"]
    file_search: FileSearchOptions | None = None

    def stored(self) -> dict[str, Any]:
        """Return the tool with the defaults that OpenAI's replies show."""
        options = self.file_search or FileSearchOptions()
        ranking = options.ranking_options
        shown: dict[str, Any] = {} if options.max_num_results is None else {"max_num_results": options.max_num_results}
        shown["ranking_options"] = {
            "ranker": (ranking.ranker if ranking else None) or "default_2024_08_21",
            "score_threshold": ranking.score_threshold if ranking else 0.0,
        }
        return {"type": self.type, "file_search": shown}


class Function(Body):
    """A function that the model may call. `parameters` is a JSON Schema, kept as it is."""

    name: Identifier
    description: LongText | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Body):
    """A function tool."""

    type: Literal["function"]
    function: Function

    def stored(self) -> dict[str, Any]:
        """Return the tool as OpenAI's replies show it: `strict` always, the rest as given."""
        given = self.function
        shown: dict[str, Any] = {"name": given.name}
        if given.description is not None:
            shown["description"] = given.description
        if given.parameters is not None:
            shown["parameters"] = given.parameters
        shown["strict"] = bool(given.strict)
        return {"type": self.type, "function": shown}


Tool = Annotated[
    Annotated[CodeInterpreter, Tag(tag("code_interpreter"))]
    | Annotated[FileSearch, Tag(tag("file_search"))]
    | Annotated[FunctionTool, Tag(tag("function"))],
    Discriminator(kind_of),
]
AssistantTools = Annotated[Several[Tool], Field(max_length=128)]
RunTools = Annotated[Several[Tool], Field(max_length=20)]


def stored_tools(tools: list[CodeInterpreter | FileSearch | FunctionTool]) -> list[dict[str, Any]]:
    """Return tools as they are kept and shown."""
    return [tool.stored() for tool in tools]


class CodeInterpreterResources(Body):
    """Files of the code interpreter."""

    file_ids: Annotated[Several[ObjectId], Field(max_length=20)] | None = None


class FileSearchResources(Body):
    """Vector stores of file search."""

    vector_store_ids: Annotated[Several[ObjectId], Field(max_length=1)] | None = None


class ToolResources(Body):
    """What tools work on."""

    code_interpreter: CodeInterpreterResources | None = None
    file_search: FileSearchResources | None = None

    def stored(self) -> dict[str, Any]:
        """Return what was given."""
        return self.model_dump(exclude_none=True)


class NewVectorStore(Body):
    """A vector store to be made along with an assistant or a thread."""

    file_ids: Several[ObjectId] | None = None
    chunking_strategy: dict[str, Any] | None = None
    metadata: Metadata | None = None


def _not_served(stores: list[NewVectorStore] | None) -> None:
    if stores:
        raise PydanticCustomError(
            "unsupported_member", "Vector stores are not served yet, so none can be made here. Leave this field out."
        )


class NewFileSearchResources(FileSearchResources):
    """The same where an object is created: OpenAI could make the vector store as well."""

    vector_stores: Annotated[
        Annotated[Several[NewVectorStore], Field(max_length=1)] | None, AfterValidator(_not_served)
    ] = None


class NewToolResources(ToolResources):
    """What tools work on, where an object is created."""

    file_search: NewFileSearchResources | None = None
