"""Bodies about actions: which call of the model is meant, and what came of it."""

from typing import Any, Final

import orjson
from pydantic import Field, model_validator

from gateway.entrypoints.http.entities.requests.fields import Body, GivenId
from gateway.entrypoints.http.entities.requests.runs import StatusWord

LONGEST_RESULT: Final = 512 * 1024
"""Characters of a result's JSON, as many as an output on `/v1` may have."""


class CreateAction(Body):
    """The body of POST /actions. Empty arguments say nothing of the call's."""

    run_id: GivenId
    tool_name: GivenId | None = None
    tool_id: GivenId | None = None
    function_args: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _names_a_tool(self) -> "CreateAction":
        if self.tool_name is None and self.tool_id is None:
            raise ValueError("Tool name must be provided.")
        return self


class UpdateAction(Body):
    """The body of PUT /actions/{action_id}. Statuses that are no end tell the server nothing that it keeps."""

    status: StatusWord
    result: Any = Field(default=None)

    @model_validator(mode="after")
    def _short_enough(self) -> "UpdateAction":
        if len(_text(self.result)) > LONGEST_RESULT:
            raise ValueError(f"A result should have at most {LONGEST_RESULT} characters")
        return self

    def output(self) -> str | None:
        """Return what the model is told; None where the action goes on."""
        if self.status == "completed":
            return _text(self.result)
        if self.status in {"failed", "cancelled", "expired"}:
            return failure(self.status, self.result)
        return None


def failure(status: str, result: Any = None) -> str:
    """Return what the model is told of an action that came to nothing: an error, as tool services word theirs."""
    if isinstance(result, dict) and result.get("error"):
        return _text(result)
    message = _text(result) or f"The action is {status}."
    return _text({"error": {"code": f"action_{status}", "message": message}})


def _text(result: Any) -> str:
    if result is None:
        return ""
    return result if isinstance(result, str) else orjson.dumps(result).decode()
