"""Every operation that is described: a path of `paths` or `transfer`, a method, and what it takes and gives."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from gateway.entrypoints.http.openai.document.description import BYTES, EVENTS, FORM, LINES, Content, Operation
from gateway.entrypoints.http.openai.document.events import EVENT_FEED
from gateway.entrypoints.http.openai.document.objects import (
    AssistantDeleted,
    AssistantFileDeleted,
    AssistantFileObject,
    AssistantObject,
    ErrorResponse,
    FileDeleted,
    FileObject,
    ListOf,
    MessageDeleted,
    MessageFileObject,
    MessageObject,
    ModelList,
    ModelObject,
    ThreadDeleted,
    ThreadObject,
)
from gateway.entrypoints.http.openai.document.parameters import (
    FILE_PAGE,
    INCLUDE,
    LAST_EVENT,
    OF_RUN,
    OF_THREAD,
    OF_TYPE,
    PAGE,
    RANGE,
    TOOL_CREDENTIAL,
    WITH_METADATA,
)
from gateway.entrypoints.http.openai.document.runs import RunObject, RunStepObject
from gateway.entrypoints.http.openai.document.stream import STREAM
from gateway.entrypoints.http.openai.document.transfer import (
    Exported,
    Import,
    Importable,
    ImportRefused,
    ImportReport,
)
from gateway.entrypoints.http.openai.requests.assistants import CreateAssistant, ModifyAssistant
from gateway.entrypoints.http.openai.requests.files import CreateFile
from gateway.entrypoints.http.openai.requests.messages import CreateMessage, ModifyMessage
from gateway.entrypoints.http.openai.requests.runs import CreateRun, CreateThreadAndRun, ModifyRun, SubmitToolOutputs
from gateway.entrypoints.http.openai.requests.threads import CreateThread, ModifyThread
from gateway.entrypoints.http.openai.version_1.requests.tools import CreateAssistantFile

_THREAD: Final = "/v1/threads/{thread_id}"
_ASSISTANT_FILES: Final = "/v1/assistants/{assistant_id}/files"
_MESSAGE_FILES: Final = f"{_THREAD}/messages/{{message_id}}/files"
_RUN: Final = f"{_THREAD}/runs/{{run_id}}"
_STREAM: Final = Content(STREAM, EVENTS, one_of_many=True)
_RUN_OR_STREAM: Final = (Content(RunObject), _STREAM)

OPERATIONS: Final[Mapping[str, Mapping[str, Operation]]] = {
    "/v1/assistants": {
        "GET": Operation(
            id="listAssistants", summary="List assistants.", parameters=PAGE, reply=ListOf[AssistantObject]
        ),
        "POST": Operation(
            id="createAssistant", summary="Create an assistant.", body=CreateAssistant, reply=AssistantObject
        ),
    },
    "/v1/assistants/{assistant_id}": {
        "GET": Operation(id="getAssistant", summary="Retrieve an assistant.", reply=AssistantObject),
        "POST": Operation(
            id="modifyAssistant", summary="Modify an assistant.", body=ModifyAssistant, reply=AssistantObject
        ),
        "DELETE": Operation(id="deleteAssistant", summary="Delete an assistant.", reply=AssistantDeleted),
    },
    _ASSISTANT_FILES: {
        "GET": Operation(
            id="listAssistantFiles",
            summary="List the files of an assistant.",
            parameters=PAGE,
            reply=ListOf[AssistantFileObject],
            version=1,
        ),
        "POST": Operation(
            id="createAssistantFile",
            summary="Attach a file to an assistant.",
            body=CreateAssistantFile,
            reply=AssistantFileObject,
            version=1,
        ),
    },
    f"{_ASSISTANT_FILES}/{{file_id}}": {
        "GET": Operation(
            id="getAssistantFile", summary="Retrieve a file of an assistant.", reply=AssistantFileObject, version=1
        ),
        "DELETE": Operation(
            id="deleteAssistantFile",
            summary="Take a file off an assistant; the file itself stays.",
            reply=AssistantFileDeleted,
            version=1,
        ),
    },
    "/v1/files": {
        "GET": Operation(id="listFiles", summary="List files.", parameters=FILE_PAGE, reply=ListOf[FileObject]),
        "POST": Operation(
            id="createFile",
            summary="Upload a file.",
            body=Content(CreateFile, FORM),
            reply=FileObject,
            refusals={HTTPStatus.REQUEST_TIMEOUT: ErrorResponse},
        ),
    },
    "/v1/files/{file_id}": {
        "GET": Operation(id="retrieveFile", summary="Retrieve a file, without its bytes.", reply=FileObject),
        "DELETE": Operation(id="deleteFile", summary="Delete a file and its bytes.", reply=FileDeleted),
    },
    "/v1/files/{file_id}/content": {
        "GET": Operation(
            id="downloadFile",
            summary="Download a file.",
            parameters=(RANGE,),
            reply=Content(bytes, BYTES),
            partial=True,
            refusals={HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: ErrorResponse},
        ),
    },
    "/v1/models": {
        "GET": Operation(id="listModels", summary="List the models that runs may use.", reply=ModelList),
    },
    "/v1/models/{model}": {
        "GET": Operation(id="retrieveModel", summary="Retrieve a model.", reply=ModelObject),
    },
    "/v1/threads": {
        "GET": Operation(
            id="listThreads",
            summary="List threads, of those alone that have the given metadata.",
            parameters=(*PAGE, WITH_METADATA),
            reply=ListOf[ThreadObject],
            extension=True,
        ),
        "POST": Operation(
            id="createThread",
            summary="Create a thread, with messages.",
            parameters=(TOOL_CREDENTIAL,),
            body=CreateThread,
            reply=ThreadObject,
        ),
    },
    "/v1/threads/runs": {
        "POST": Operation(
            id="createThreadAndRun",
            summary="Create a thread and run it.",
            parameters=(TOOL_CREDENTIAL,),
            body=CreateThreadAndRun,
            reply=_RUN_OR_STREAM,
        ),
    },
    _THREAD: {
        "GET": Operation(id="getThread", summary="Retrieve a thread.", reply=ThreadObject),
        "POST": Operation(id="modifyThread", summary="Modify a thread.", body=ModifyThread, reply=ThreadObject),
        "DELETE": Operation(id="deleteThread", summary="Delete a thread and all in it.", reply=ThreadDeleted),
    },
    f"{_THREAD}/messages": {
        "GET": Operation(
            id="listMessages", summary="List messages.", parameters=(*PAGE, OF_RUN), reply=ListOf[MessageObject]
        ),
        "POST": Operation(
            id="createMessage",
            summary="Add a message.",
            parameters=(TOOL_CREDENTIAL,),
            body=CreateMessage,
            reply=MessageObject,
        ),
    },
    f"{_THREAD}/messages/{{message_id}}": {
        "GET": Operation(id="getMessage", summary="Retrieve a message.", reply=MessageObject),
        "POST": Operation(id="modifyMessage", summary="Modify a message.", body=ModifyMessage, reply=MessageObject),
        "DELETE": Operation(id="deleteMessage", summary="Delete a message.", reply=MessageDeleted),
    },
    _MESSAGE_FILES: {
        "GET": Operation(
            id="listMessageFiles",
            summary="List the files of a message.",
            parameters=PAGE,
            reply=ListOf[MessageFileObject],
            version=1,
        ),
    },
    f"{_MESSAGE_FILES}/{{file_id}}": {
        "GET": Operation(
            id="getMessageFile", summary="Retrieve a file of a message.", reply=MessageFileObject, version=1
        ),
    },
    f"{_THREAD}/runs": {
        "GET": Operation(id="listRuns", summary="List runs.", parameters=PAGE, reply=ListOf[RunObject]),
        "POST": Operation(
            id="createRun",
            summary="Run a thread.",
            parameters=(INCLUDE, TOOL_CREDENTIAL),
            body=CreateRun,
            reply=_RUN_OR_STREAM,
        ),
    },
    _RUN: {
        "GET": Operation(id="getRun", summary="Retrieve a run.", reply=RunObject),
        "POST": Operation(id="modifyRun", summary="Modify a run.", body=ModifyRun, reply=RunObject),
    },
    f"{_RUN}/cancel": {
        "POST": Operation(id="cancelRun", summary="Cancel a run.", reply=RunObject),
    },
    f"{_RUN}/submit_tool_outputs": {
        "POST": Operation(
            id="submitToolOuputsToRun",
            summary="Answer the calls that a run waits for.",
            parameters=(TOOL_CREDENTIAL,),
            body=SubmitToolOutputs,
            reply=_RUN_OR_STREAM,
        ),
    },
    f"{_RUN}/events": {
        "GET": Operation(
            id="streamRun",
            summary="Stream a run from its beginning, or from behind an event, to its end.",
            parameters=LAST_EVENT,
            reply=_STREAM,
            extension=True,
        ),
    },
    f"{_RUN}/steps": {
        "GET": Operation(
            id="listRunSteps", summary="List steps.", parameters=(*PAGE, INCLUDE), reply=ListOf[RunStepObject]
        ),
    },
    f"{_RUN}/steps/{{step_id}}": {
        "GET": Operation(id="getRunStep", summary="Retrieve a step.", parameters=(INCLUDE,), reply=RunStepObject),
    },
    "/v1/import": {
        "POST": Operation(
            id="importObjects",
            summary="Store objects of another installation under their own ids, all or none. For keys of admins.",
            body=(Content(Import), Content(Importable, LINES, one_of_many=True)),
            reply=ImportReport,
            refusals={HTTPStatus.BAD_REQUEST: ImportRefused | ErrorResponse},
            extension=True,
        ),
    },
    "/v1/export": {
        "GET": Operation(
            id="exportObjects",
            summary="Everything, or one thread, in lines that import takes back. For keys of admins.",
            parameters=(OF_THREAD,),
            reply=Content(Exported, LINES, one_of_many=True),
            extension=True,
        ),
    },
    "/v1/events": {
        "GET": Operation(
            id="followEvents",
            summary="Follow all public events from now on, or from behind an event. For keys with the scope `events`.",
            parameters=(OF_TYPE, OF_THREAD, *LAST_EVENT),
            reply=Content(EVENT_FEED, EVENTS, one_of_many=True, title="FeedEvent"),
            refusals={HTTPStatus.TOO_MANY_REQUESTS: ErrorResponse},
            extension=True,
        ),
    },
    "/openapi.json": {
        "GET": Operation(id="describeApi", summary="This document.", reply=dict[str, Any], extension=True, public=True),
    },
}
