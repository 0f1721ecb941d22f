"""The generated Ruby client of the Assistants API, version 1 (archived in 2023): its 27 operations as it sends them.

`version_1/operations.json` has them as the client's own reference shows them: method, path, the arguments of its
examples, the name of what they return. `version_1/objects.json` says what these are, field by field. There is no Ruby
here; what the client puts on the wire is what `Client.call` does.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import jsonschema_rs
import orjson
from conformance.stream_facts import StreamFacts
from conformance.stream_order import Beginning

_FOLDER: Final = Path(__file__).with_name("version_1")
OPERATIONS: Final[Mapping[str, dict[str, Any]]] = orjson.loads((_FOLDER / "operations.json").read_bytes())
_OBJECTS: Final = orjson.loads((_FOLDER / "objects.json").read_bytes())
_EXAMPLE: Final = re.compile(r"(\w+)_example")
VERSION_1: Final = {"openai-beta": "assistants=v1"}

EVENTS: Final[Mapping[str, str]] = {
    "thread.created": "ThreadObject",
    **{
        f"thread.run.{status}": "RunObject"
        for status in ("created", *_OBJECTS["$defs"]["RunObject"]["properties"]["status"]["enum"])
    },
    **{
        f"thread.run.step.{name}": "RunStepObject"
        for name in ("created", *_OBJECTS["$defs"]["RunStepObject"]["properties"]["status"]["enum"])
    },
    **{
        f"thread.message.{name}": "MessageObject"
        for name in ("created", *_OBJECTS["$defs"]["MessageObject"]["properties"]["status"]["enum"])
    },
    "thread.run.step.delta": "RunStepDelta",
    "thread.message.delta": "MessageDelta",
    "error": "Error",
}
"""The objects that streams of version 1 tell, by the names of the events. The client never streamed; later ones did."""


class Client:
    """The client, configured with a key and the beta header, on an HTTP client whose base URL ends in /v1."""

    def __init__(self, http: httpx.AsyncClient, key: str) -> None:
        self.http = http
        self.called: set[str] = set()
        self._headers = {
            "authorization": f"Bearer {key}",
            "accept": "application/json",
            "user-agent": "OpenAPI-Generator/1.0.0/ruby",
            **VERSION_1,
        }

    async def send(self, name: str, place: Mapping[str, str], /, **more: Any) -> httpx.Response:
        """Send an operation with the ids of `place` for those of the example, and with more of a body.

        `query`: what its list is asked with; without one, with the example's where `place` has its cursors.
        """
        operation = OPERATIONS[name]
        query = more.pop("query", None) or _filled(operation.get("query", {}), place)
        body = None
        headers = dict(self._headers)
        if operation["content_type"] is not None:
            headers["content-type"] = operation["content_type"]
            body = orjson.dumps({**_filled(operation["body"], place), **more})
        path = operation["path"].format(**place)
        return await self.http.request(operation["method"], path, params=query, content=body, headers=headers)

    async def call(self, name: str, place: Mapping[str, str], /, **more: Any) -> Any:
        """Send an operation and return what it returns, which has to be what the client takes it for."""
        response = await self.send(name, place, **more)
        assert response.status_code == 200, (name, response.text)
        shown = response.json()
        assert differences(OPERATIONS[name]["returns"], shown) == [], name
        self.called.add(name)
        return shown


def differences(kind: str, shown: Any) -> list[str]:
    """Return where `shown` is not an object of that kind; one field too many is a difference, too."""
    validator = jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": _OBJECTS["$defs"]})
    return [f"{'.'.join(map(str, each.instance_path))}: {each.message[:300]}" for each in validator.iter_errors(shown)]


def stream_facts(beginning: Beginning | None) -> StreamFacts:
    """Return what holds a stream to version 1 while it passes."""
    return StreamFacts(dict(EVENTS), lambda kind, content: differences(kind, orjson.loads(content)), beginning)


def _filled(given: Mapping[str, Any], place: Mapping[str, str]) -> dict[str, Any]:
    """The arguments with what `place` has for the words of the example; without those that it has nothing for."""
    filled: dict[str, Any] = {}
    for name, value in given.items():
        example = _EXAMPLE.fullmatch(value) if isinstance(value, str) else None
        if example is None:
            filled[name] = value
        elif example[1] in place:
            filled[name] = place[example[1]]
    return filled
