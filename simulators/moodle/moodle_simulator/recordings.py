"""The recorded replies that lie in `recorded/`, read once per simulator.

One file is one request and the reply a real Moodle 4.4.3+ gave to it; `create_app` and the tests of moodle-tool read
them through `Recordings`. A file may be gzipped (one course has half a megabyte of JSON).
"""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recorded request with its reply.

    `name` is `<function>/<case>`. `owner` says whose token was sent (None = none; `(wrong token)` and `(empty token)`
    are what they say). `params` are the form fields without wstoken and wsfunction, as PHP expects them. `body` holds
    the bytes to send: JSON written the way PHP writes it.
    """

    name: str
    function: str | None
    method: str
    owner: str | None
    params: Mapping[str, str]
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_error(self) -> bool:
        """Whether Moodle refused: another status than 200, or an exception in the body of a 200."""
        return self.status != 200 or self.body.startswith(b'{"exception"') or b"<EXCEPTION " in self.body[:100]


class Recordings:
    """All recordings by name."""

    def __init__(self, recordings: Mapping[str, Recording]) -> None:
        self._by_name = dict(recordings)

    @classmethod
    def load(cls) -> "Recordings":
        """Read the package's recordings (about 150 files, 20 ms)."""
        folders = (folder for folder in (files("moodle_simulator") / "recorded").iterdir() if folder.is_dir())
        found = (_read(folder.name, file) for folder in folders for file in folder.iterdir())
        return cls({recording.name: recording for recording in found})

    def __getitem__(self, name: str) -> Recording:
        try:
            return self._by_name[name]
        except KeyError:
            raise KeyError(f"no recording is named {name!r}") from None

    def __iter__(self) -> Iterator[Recording]:
        return iter(sorted(self._by_name.values(), key=lambda recording: recording.name))

    def __len__(self) -> int:
        return len(self._by_name)

    def of(self, function: str) -> list[Recording]:
        """Return the recordings of one web service function, by name."""
        return [recording for recording in self if recording.name.startswith(f"{function}/")]


def _read(folder: str, file: Traversable) -> Recording:
    data = file.read_bytes()
    content = json.loads(gzip.decompress(data) if file.name.endswith(".gz") else data)
    request, response = content["request"], content["response"]
    params = dict(request["params"])
    # "status" among the headers is PHP's way of setting the status line; it never was a header on the wire.
    headers = {name: value for name, value in response["headers"].items() if name != "status"}
    return Recording(
        name=f"{folder}/{file.name.split('.')[0]}",
        function=request["function"],
        method=request["method"],
        owner=params.pop("token_owner", None),
        params={name: str(value) for name, value in params.items()},
        status=response["status"],
        headers=headers,
        body=_body(response, headers.get("content-type", "")),
    )


def _body(response: dict[str, Any], content_type: str) -> bytes:
    if "body_base64" in response:
        return base64.b64decode(response["body_base64"])
    body = response["body"]
    if isinstance(body, str) and not content_type.startswith("application/json"):
        return body.encode()
    if body == "":  # the reply to a HEAD request
        return b""
    # PHP's json_encode: no spaces, everything beyond ASCII escaped, slashes escaped.
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()
