"""Action objects: a call that the model made, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from run_engine.domain.objects import Run, ToolCall

from gateway.entrypoints.http.entities.ids import Shown
from gateway.entrypoints.http.entities.presenters.words import iso
from gateway.entrypoints.http.json_values import is_too_deep
from gateway.entrypoints.http.named_ids import Named


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A call with what belongs to it."""

    call: ToolCall
    run: Run
    called_at: datetime | None
    answered_at: datetime | None
    tool_id: str | None
    """The kept tool that the assistant has the function of."""

    @property
    def status(self) -> str:
        """How it stands, in the original's words."""
        if self.call.output is not None:
            failed = isinstance(output := _json(self.call.output), dict) and bool(output.get("error"))
            return "failed" if failed else "completed"
        if self.run.status.ended:
            return "expired" if self.run.status.value == "expired" else "cancelled"
        return "pending" if self.call.service is None else "processing"


def ids_of_action(found: Action) -> list[Named]:
    """Return the ids that an action's object names."""
    return [("tool_call", found.call.id), ("run", found.run.id), ("tool", found.tool_id)]


def action(found: Action, ids: Shown) -> dict[str, Any]:
    """Return an action. A result is an object always: what is none is put into one."""
    return {
        "id": ids.id("tool_call", found.call.id),
        "run_id": ids.id("run", found.run.id),
        "tool_id": ids.optional("tool", found.tool_id),
        "tool_name": found.call.name,
        "triggered_at": iso(found.called_at),
        "expires_at": iso(found.run.expires_at),
        "is_processed": found.call.output is not None,
        "processed_at": iso(found.answered_at),
        "status": found.status,
        "function_args": arguments_of(found.call),
        "result": _result(found.call.output),
    }


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """Return the arguments of a call. Models write what they like: what is no object gives none."""
    arguments = _json(call.arguments)
    return arguments if isinstance(arguments, dict) else {}


def _result(output: str | None) -> dict[str, Any] | None:
    if not output:
        return None
    result = _json(output)
    return result if isinstance(result, dict) else {"result": result}


def _json(text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    # Models and tools may nest it deeper than it could be written again.
    return text if is_too_deep(value) else value
