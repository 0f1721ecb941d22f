"""Thousands of requests to every operation, made from the document by schemathesis, half of them against it.

No 5xx; every reply is as the document says, the refusals in their envelope; what is against the document is refused.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
import raw_request
import requests
import schemathesis
from conformance import api_objects
from conformance.served_document import ServedDocument
from gateway.entrypoints.http.openai.document.openapi import openapi
from gateway.entrypoints.http.openai.document.operations import OPERATIONS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from starlette.types import ASGIApp

CASES = 90
"""For each operation."""
MANY = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SCHEMA = schemathesis.openapi.from_dict(openapi(OPERATIONS.items(), OPERATIONS, "1"))
MADE = {operation.label: operation for operation in (each.ok() for each in SCHEMA.get_all_operations())}
# It takes nothing at all, and there is one request to it: its own test makes it.
del MADE["GET /openapi.json"]
# A stream without an end: it has tests of its own.
del MADE["GET /v1/events"]


OF_SHAPE = re.compile("unknown_parameter|invalid_type|missing_required_parameter|empty_.*|.*_(above_max|below_min)_.*")
"""Codes of refusals of what the document has a word against."""
READ_AS_NOTHING = (None, b"", b"[]")
"""Bodies that mean an empty object."""
USED_UP = ("/runs", "/cancel", "/submit_tool_outputs")
"""Ends of operations that leave objects in another state than the one that they are of use in."""


class Places:
    """What requests can be about: objects of a tenant, made anew when some of them were used up."""

    def __init__(self, app: ASGIApp, caller: Any) -> None:
        self._app, self._caller = app, caller
        self._made = 0
        self.done: dict[str, str] = {}
        self.waiting: dict[str, str] = {}
        self.queued: dict[str, str] = {}

    async def renew(self) -> None:
        self._made += 1
        upload = {"file": ("a.txt", b"content"), "purpose": (None, "assistants")}
        file_id = (await self._caller.http.post("/files", files=upload)).json()["id"]
        self.done = self._place("done", file_id)
        self.waiting = self._place("waiting", file_id)
        self.queued = self._place("queued", file_id)
        objects = [
            api_objects.assistant(
                id=self.done["assistant_id"], tool_resources={"code_interpreter": {"file_ids": [file_id]}}
            ),
            *self._thread(self.done, api_objects.run(), api_objects.writing()),
            *self._thread(self.queued, api_objects.run(status="queued", usage=None, completed_at=None)),
            *self._thread(
                self.waiting,
                api_objects.waiting(self.waiting["tool_call_id"], expires_at=None),
                api_objects.step(api_objects.function_call(self.waiting["tool_call_id"]), status="in_progress"),
            ),
        ]
        # Not through the caller's client: the field facts know no import.
        headers = [(b"authorization", f"Bearer {self._caller.key}".encode())]
        body = orjson.dumps({"objects": objects})
        reply = await raw_request.send(self._app, "POST", "/v1/import", headers=headers, body=body)
        assert reply.status == 200, reply.content

    def likely(self, label: str) -> Sequence[dict[str, str]]:
        """Places that an operation is tried in, the last of them nowhere; more often where it can succeed."""
        if label.endswith("submit_tool_outputs"):
            return [*[self.waiting] * 6, self.done, self.queued, {}]
        return [*[self.done, self.waiting, self.queued] * 2, {}]

    def _place(self, name: str, file_id: str) -> dict[str, str]:
        names = {kind: f"{kind}_{name}_{self._made}" for kind in ("thread", "message", "run", "step", "tool_call")}
        ids = {f"{kind}_id": value for kind, value in names.items()}
        return ids | {"assistant_id": f"asst_{self._made}", "file_id": file_id, "model": "demo"}

    @staticmethod
    def _thread(place: dict[str, str], run: dict[str, Any], *steps: dict[str, Any]) -> list[dict[str, Any]]:
        of_thread = {name: place[name] for name in ("thread_id", "assistant_id")}
        of_run = of_thread | {"run_id": place["run_id"]}
        attached = {"file_id": place["file_id"], "tools": [{"type": "file_search"}]}
        return [
            api_objects.thread(id=place["thread_id"], tool_resources={}),
            api_objects.message(**of_run, id=place["message_id"], attachments=[attached]),
            run | of_thread | {"id": place["run_id"]},
            *(step | of_run | {"id": place["step_id"]} for step in steps),
        ]


@pytest.fixture
def cases() -> Iterator[Counter[int]]:
    """How often an operation replied what."""
    counted: Counter[int] = Counter()
    yield counted
    assert counted.total() >= CASES
    assert any(status < 300 for status in counted), counted


def written(body: Any, place: dict[str, str]) -> Any:
    """The body with the ids of a place where it has any, and with 1 for 1.0, an integer to JSON Schema alone.

    A place has one call, so of several outputs for it one is left.
    """
    if isinstance(body, dict):
        return {
            name: place[name] if name in place and isinstance(value, str) else written(value, place)
            for name, value in body.items()
        }
    if isinstance(body, list):
        outputs = place and all(isinstance(each, dict) and "tool_call_id" in each for each in body)
        return [written(each, place) for each in (body[:1] if outputs else body)]
    return int(body) if isinstance(body, float) and body.is_integer() else body


def as_lines(body: Any) -> str:
    """The other way to write an import."""
    objects = body.get("objects") if isinstance(body, dict) else None
    return "\n".join(json.dumps(each) for each in objects) if isinstance(objects, list) else ""


@pytest.mark.parametrize("label", sorted(MADE))
@MANY
@given(data=st.data())
async def test_operation(
    app: ASGIApp, described: ServedDocument, caller: Any, cases: Counter[int], data: Any, label: str
) -> None:
    operation = MADE[label]
    if not hasattr(caller, "places"):
        caller.places = Places(app, caller)
        await caller.places.renew()
    case = data.draw(operation.as_strategy(generation_mode=data.draw(st.sampled_from(GenerationMode))))
    place = data.draw(st.sampled_from(caller.places.likely(label)))
    case.path_parameters = {name: place.get(name, value) for name, value in (case.path_parameters or {}).items()}
    case.body = written(case.body, place if data.draw(st.booleans()) else {})
    if case.headers and not data.draw(st.sampled_from((True, False, False, False))):
        # There is no tool service here that takes a credential, so with one hardly anything goes any further.
        case.headers = {name: value for name, value in case.headers.items() if name.lower() != "x-tool-credential"}
    prepared = requests.Request(**case.as_transport_kwargs(base_url="http://gateway")).prepare()
    if label == "POST /v1/import" and data.draw(st.booleans()):
        prepared.body = as_lines(case.body) or prepared.body
    url = urlsplit(prepared.url)
    target = f"{url.path}?{url.query}" if url.query else url.path
    headers = {**prepared.headers, "authorization": f"Bearer {caller.key}"}
    reply = await raw_request.send(
        app,
        prepared.method,
        target,
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        body=prepared.body.encode() if isinstance(prepared.body, str) else prepared.body or b"",
    )
    cases[reply.status] += 1
    described.check(prepared.method, url.path, reply.status, reply.headers, reply.content)
    told = f"{prepared.method} {prepared.url} {prepared.body!r:.400} {headers} -> {reply.status} {reply.content!r:.400}"
    assert reply.status < 500, told
    assert described.problems == [], told
    modes = {place: each.mode for place, each in case.meta.components.items()}
    if reply.status >= 400 and case.meta.generation.mode.is_positive:
        code = orjson.loads(reply.content)["error"]["code"]
        assert code is None or not OF_SHAPE.fullmatch(code), told
    if reply.status < 300 and prepared.body not in READ_AS_NOTHING and case.media_type != "multipart/form-data":
        assert modes.get(ParameterLocation.BODY) is not GenerationMode.NEGATIVE, told
    if reply.status < 300 and (operation.method == "delete" or label.endswith(USED_UP)):
        await caller.places.renew()
