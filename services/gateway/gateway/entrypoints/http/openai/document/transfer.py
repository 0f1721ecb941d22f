"""The shapes of import and export."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from gateway.entrypoints.http.openai.document.objects import (
    AssistantObject,
    ErrorResponse,
    FileObject,
    MessageObject,
    Shape,
    ThreadObject,
)
from gateway.entrypoints.http.openai.document.runs import RunObject, RunStepObject
from gateway.entrypoints.http.openai.requests.imported_objects import (
    ImportedAssistant,
    ImportedFile,
    ImportedMessage,
    ImportedThread,
)
from gateway.entrypoints.http.openai.requests.imported_runs import ImportedRun
from gateway.entrypoints.http.openai.requests.imported_steps import ImportedStep
from gateway.entrypoints.http.openai.requests.imports import MOST_OBJECTS

Importable: TypeAlias = ImportedAssistant | ImportedFile | ImportedThread | ImportedMessage | ImportedRun | ImportedStep
Exported: TypeAlias = AssistantObject | FileObject | ThreadObject | MessageObject | RunObject | RunStepObject


class Import(Shape):
    """Objects as the API returns them, in any order. Fields that are not known here are passed over, and reported."""

    objects: Annotated[list[Importable], Field(max_length=MOST_OBJECTS)]


class Imported(Shape):
    """How many objects of each kind were stored."""

    assistant: int
    file: int
    thread: int
    message: Annotated[int, Field(alias="thread.message")]
    run: Annotated[int, Field(alias="thread.run")]
    step: Annotated[int, Field(alias="thread.run.step")]


class RefusedObject(Shape):
    """An object that stands in the way of all: its place in the request, what it says it is, and what is wrong."""

    class Reason(Shape):
        """What is wrong with it."""

        message: str
        param: str | None
        code: str | None

    index: int
    id: str | None
    object: str | None
    error: Reason


class ImportReport(Shape):
    """What came of an import."""

    object: Literal["import"]
    imported: Imported
    refused: list[RefusedObject]
    ignored_fields: dict[str, list[str]]


class ImportRefused(ImportReport, ErrorResponse):
    """The report of an import of which nothing was stored, in the envelope of refusals."""
