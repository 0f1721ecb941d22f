"""Tells the model simulator of an installation what to answer to one test's questions, and to no others.

The installation is started as a newcomer starts it, with a simulator of its own; this finds that by its processes.
"""

import uuid
from types import TracebackType
from typing import Any, Self

import httpx
import psutil
from installation import Installation

FAST = {"tokens_per_second": 0, "first_token_seconds": 0}


class ScriptedModel:
    """The control paths of a model simulator, blocking: each call takes milliseconds."""

    def __init__(self, root_url: str) -> None:
        self.root_url = root_url
        self._http = httpx.Client(base_url=root_url, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def will(self, *replies: dict[str, Any]) -> str:
        """Return a question that is answered by these replies, in this order, at once and as fast as can be."""
        question = f"question {uuid.uuid4()}"
        script = [{**FAST, **reply, "match": question} for reply in replies]
        self._http.post("/control/script", json={"replies": script}).raise_for_status()
        return question

    def say(self, *steps: str | dict[str, Any], **more: Any) -> str:
        """Return a question that is answered by these steps of a script: a string is a chunk of text."""
        return self.will({"steps": list(steps), **more})

    def gate(self) -> str:
        """Return a gate that nobody has opened yet; as a step `{"gate": name}` it holds a reply up."""
        return f"gate-{uuid.uuid4()}"

    def release(self, gate: str) -> None:
        """Let those go on who wait at the gate, and all who come."""
        self._http.post(f"/control/release/{gate}").raise_for_status()

    def wait(self, **condition: Any) -> None:
        """Return when the condition of `GET /control/wait` holds."""
        self._http.get("/control/wait", params=condition).raise_for_status()

    def asked(self) -> str:
        """What it was asked, the latest requests, as JSON text."""
        return self._http.get("/control/requests").text

    def unused(self) -> list[Any]:
        """The replies that nobody has asked for."""
        return list(self._http.get("/control/script").json()["replies"])

    def forget(self) -> None:
        """Drop the replies that nobody has asked for."""
        self._http.delete("/control/script").raise_for_status()


def model_of(installation: Installation) -> ScriptedModel:
    """Return the control of the installation's own model simulator."""
    parts = [psutil.Process(installation.pid)] if installation.mode == "run" else []
    parts += installation.processes("model_simulator")
    ports = {each.laddr.port for part in parts for each in part.net_connections("tcp4") if each.status == "LISTEN"}
    for port in sorted(ports):
        root_url = f"http://127.0.0.1:{port}"
        reply = httpx.get(f"{root_url}/control/requests")
        if reply.status_code == httpx.codes.OK:
            return ScriptedModel(root_url)
    raise LookupError(f"no model simulator listens on one of {ports}")
