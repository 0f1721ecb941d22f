"""The document at `/openapi.json`: it describes what is served, all of it, and as the field facts have it."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
import ruby_client
from conformance.field_facts import DOCUMENT
from conformance.schema_differences import Side, differences
from conformance.served_document import ServedDocument
from fastapi.routing import APIRoute
from gateway.entrypoints.http.openai.document.openapi import EXTENSION, openapi
from gateway.entrypoints.http.openai.document.operations import OPERATIONS
from gateway.entrypoints.http.openai.document.schemas import Schemas
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import create_model
from starlette.types import ASGIApp

FACTS = orjson.loads(DOCUMENT.read_bytes())
# OpenAI's name of each of our objects.
REPLIES = {
    "AssistantObject": "AssistantObject",
    "AssistantDeleted": "DeleteAssistantResponse",
    "ThreadObject": "ThreadObject",
    "ThreadDeleted": "DeleteThreadResponse",
    "MessageObject": "MessageObject",
    "MessageDeleted": "DeleteMessageResponse",
    "RunObject": "RunObject",
    "RunStepObject": "RunStepObject",
    "FileObject": "OpenAIFile",
    "FileDeleted": "DeleteFileResponse",
    "ErrorResponse": "ErrorResponse",
    "MessageDeltaObject": "MessageDeltaObject",
    "RunStepDeltaObject": "RunStepDeltaObject",
}
REQUESTS = {
    "CreateAssistant": "CreateAssistantRequest",
    "ModifyAssistant": "ModifyAssistantRequest",
    "CreateThread": "CreateThreadRequest",
    "ModifyThread": "ModifyThreadRequest",
    "CreateMessage": "CreateMessageRequest",
    "ModifyMessage": "ModifyMessageRequest",
    "CreateRun": "CreateRunRequest",
    "CreateThreadAndRun": "CreateThreadAndRunRequest",
    "ModifyRun": "ModifyRunRequest",
    "SubmitToolOutputs": "SubmitToolOutputsRunRequest",
    "CreateFile": "CreateFileRequest",
}


# Where the document says something else on purpose, and why.
ON_PURPOSE = {
    r".*\.annotations\[\]: .*": "annotations are kept as they came; nothing makes any yet",
    r".*\.code_interpreter\.outputs\[\]: .*": "outputs are kept as they came; nothing makes any yet",
    r"MessageDelta.*: only theirs may be image_\w+": "models do not answer in images",
    r"MessageDelta.*\.role: is not ours": "optional, and never sent by OpenAI",
    r"RunStepDelta.*: only theirs may be (code_interpreter|file_search)": "neither is offered to models yet",
    r"RunStepDelta.*: only theirs may be message_creation": "a step that writes a message has nothing to add",
    r".*\.tool_choice<(code_interpreter|file_search)>\.function: is not ours": "it means nothing there",
    r".*\.tool_choice<function>\.function: only ours is required": "it names the function",
    r".*\.vector_stores\[\]\..*": "vector stores are refused",
    r".*\.attachments\[\]\.(file_id|tools): only ours is required": "an attachment without them is none",
    r".*\.tool_call_id: only ours is required": "an output without it answers nothing",
    r"CreateThreadAndRun\.reasoning_effort: is not theirs": "taken here as well as in createRun",
    r"FileObject\.purpose: words \['evals'\]": "files may be uploaded for evals",
}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


async def test_it_is_served_to_anybody(app: ASGIApp, served: ServedDocument) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as stranger:
        reply = await stranger.get("/openapi.json")
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
        assert reply.json() == served.document
        refused = await stranger.post("/openapi.json")
        assert refused.status_code == 405
        assert refused.json()["error"]["message"] == "Not allowed to POST on /openapi.json."


def test_it_is_an_openapi_document(served: ServedDocument) -> None:
    assert served.document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(served.document).iter_errors()) == []


def test_every_route_of_this_dialect_is_described_and_nothing_else(app: Any, served: ServedDocument) -> None:
    routes = {
        (route.path.replace(":path}", "}"), method.lower())
        for route in app.routes
        if isinstance(route, APIRoute) and route.include_in_schema and route.path.startswith(("/v1/", "/openapi.json"))
        for method in route.methods - {"HEAD"}
    }
    assert {(path, method) for path, method, _ in operations(served.document)} == routes
    assert {(path, method.lower()) for path, methods in OPERATIONS.items() for method in methods} == routes


def test_only_what_is_served_is_described() -> None:
    document = openapi([("/v1/threads", ["POST"]), ("/v1/nothing", ["GET"])], OPERATIONS, "1")
    assert [(path, method) for path, method, _ in operations(document)] == [("/v1/threads", "post")]


def test_operations_have_openais_names(served: ServedDocument) -> None:
    ours = {(path, method): each["operationId"] for path, method, each in operations(served.document)}
    theirs = {(f"/v1{path}", method): each["operationId"] for path, method, each in operations(FACTS)}
    assert {place: name for place, name in ours.items() if theirs.get(place, name) != name} == {}
    assert len(set(ours.values())) == len(ours)


def test_objects_are_as_the_field_facts_have_them(served: ServedDocument) -> None:
    ours, theirs = Side(served.document), Side(FACTS)
    found = [
        each
        for pairs, reply in ((REPLIES, True), (REQUESTS, False))
        for our, their in pairs.items()
        for each in differences(ours, theirs, ours.named(our), theirs.named(their), our, reply=reply)
    ]
    assert [each for each in found if not any(re.fullmatch(pattern, each) for pattern in ON_PURPOSE)] == []
    assert [pattern for pattern in ON_PURPOSE if not any(re.fullmatch(pattern, each) for each in found)] == []


def test_events_are_as_the_field_facts_have_them(served: ServedDocument) -> None:
    described = served.document["components"]["schemas"]["StreamEvent"]["oneOf"]
    ours = {event["properties"]["event"]["const"]: event["properties"]["data"] for event in described}
    theirs = {
        name
        for kind in ("Thread", "Run", "RunStep", "Message")
        for event in FACTS["components"]["schemas"][f"{kind}StreamEvent"]["oneOf"]
        for name in event["properties"]["event"]["enum"]
    }
    assert ours.keys() == theirs | {"error", "done"}
    assert ours["done"] == {"const": "[DONE]", "type": "string"}


def test_parameters_are_as_the_field_facts_have_them(served: ServedDocument) -> None:
    for path, method, theirs in operations(FACTS):
        ours = served.document["paths"].get(f"/v1{path}", {}).get(method)
        if ours is not None:
            names = {(each["in"], each["name"]) for each in theirs.get("parameters", ())}
            described = {(each["in"], each["name"]) for each in ours["parameters"] if each["in"] != "header"}
            assert described >= names, (path, method)
            assert described - names <= {("query", "before")}, (path, method)


def test_what_openai_does_not_have_is_marked(served: ServedDocument) -> None:
    theirs = {(f"/v1{path}", method) for path, method, _ in operations(FACTS)}
    theirs |= {("/v1/models", "get"), ("/v1/models/{model}", "get")}
    theirs |= {(f"/v1{each['path']}", each["method"].lower()) for each in ruby_client.OPERATIONS.values()}
    for path, method, operation in operations(served.document):
        assert operation.get(EXTENSION, False) is ((path, method) not in theirs), (path, method)
        keys = [each for each in operation["parameters"] if each["name"] == "Idempotency-Key"]
        assert [each.get(EXTENSION) for each in keys] == ([True] if method == "post" else [])


def test_two_schemas_of_one_name_are_an_error() -> None:
    schemas = Schemas()
    first, second = create_model("Thing", a=(int, ...)), create_model("Thing", a=(str, ...))
    schemas.of(first)
    with pytest.raises(ValueError, match="two schemas have the name Thing"):
        schemas.of(second)


async def test_a_reply_that_is_not_as_described_is_found_out(served: ServedDocument) -> None:
    """The guard that all integration tests rely on is shown red."""
    watched = ServedDocument(served.document)
    thread = {"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}
    refusal = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}}
    json = {"content-type": "application/json"}

    def problem(method: str, path: str, status: int, content: Any, headers: Any = json) -> bool:
        watched.problems.clear()
        watched.check(method, path, status, headers, orjson.dumps(content))
        return watched.problems != []

    assert not problem("GET", "/v1/threads/thread_1", 200, thread)
    assert not problem("GET", "/v1/threads/thread_1", 404, refusal)
    assert not problem("GET", "/v1/nothing", 404, refusal)
    assert problem("GET", "/v1/threads/thread_1", 200, thread | {"created_at": "1"})
    assert problem("GET", "/v1/threads/thread_1", 200, thread | {"more": 1})
    assert problem("GET", "/v1/threads/thread_1", 200, {"id": "thread_1"})
    assert problem("GET", "/v1/threads/thread_1", 200, thread, {"content-type": "text/html"})
    assert problem("GET", "/v1/threads/thread_1", 204, thread)
    assert problem("GET", "/v1/threads/thread_1", 404, {"detail": "Not Found"})
    assert problem("GET", "/v1/nothing", 200, thread)
    assert problem("GET", "/v1/export", 200, thread | {"object": "thing"}, {"content-type": "application/x-ndjson"})
