"""From objects of version 2, as the presenters make them, to those of version 1. Used by `translation`, `event_writer`.

Values that programs of version 1 know nothing of, and that make some of them fail, are put into the words it had.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from run_engine.domain.assistant_files import files_of

Shown = dict[str, Any]

_ASSISTANT: Final = ("id", "object", "created_at", "name", "description", "model", "instructions")
_MESSAGE: Final = (
    *("id", "object", "created_at", "thread_id", "status", "incomplete_details", "completed_at", "incomplete_at"),
    *("role", "assistant_id", "run_id", "metadata"),
)
_RUN: Final = (
    *("id", "object", "created_at", "thread_id", "assistant_id", "required_action", "expires_at", "started_at"),
    *("cancelled_at", "failed_at", "completed_at", "model", "instructions", "metadata"),
)
_STEP: Final = (
    *("id", "object", "created_at", "assistant_id", "thread_id", "run_id", "type", "status", "last_error"),
    *("expired_at", "cancelled_at", "failed_at", "completed_at", "metadata"),
)
_USAGE: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
_STATUSES: Final = {"incomplete": "completed"}
_ANNOTATIONS: Final = ("file_citation", "file_path")


def in_version_1(shown: Shown) -> Shown:
    """Return an object, a list or whatever else is replied as version 1 has it."""
    present = _PRESENTERS.get(shown.get("object", ""))
    return shown if present is None else present(shown)


def event_name(name: str) -> str:
    """Return the name under which version 1 tells an event."""
    return "thread.run.completed" if name == "thread.run.incomplete" else name


def attached_to(message: Shown) -> list[str]:
    """Return the ids of the files that are attached to a message, each once."""
    return list(dict.fromkeys(each["file_id"] for each in message["attachments"] if each.get("file_id")))


def _list(shown: Shown) -> Shown:
    return {**shown, "data": [in_version_1(each) for each in shown["data"]]}


def _assistant(shown: Shown) -> Shown:
    return {
        **_picked(shown, _ASSISTANT),
        "tools": _tools(shown["tools"]),
        "file_ids": files_of(shown["tool_resources"]),
        "metadata": shown["metadata"],
    }


def _thread(shown: Shown) -> Shown:
    return _picked(shown, ("id", "object", "created_at", "metadata"))


def _message(shown: Shown) -> Shown:
    content = [_part(each) for each in shown["content"]]
    return {**_picked(shown, _MESSAGE), "content": content, "file_ids": attached_to(shown)}


def _run(shown: Shown) -> Shown:
    error = shown["last_error"]
    if error is not None and error["code"] == "invalid_prompt":
        error = {**error, "code": "server_error"}
    return {
        **_picked(shown, _RUN),
        "status": _STATUSES.get(shown["status"], shown["status"]),
        "last_error": error,
        "tools": _tools(shown["tools"]),
        "file_ids": files_of(shown["tool_resources"]),
        "usage": _usage(shown["usage"]),
    }


def _step(shown: Shown) -> Shown:
    details = shown["step_details"]
    if details["type"] == "tool_calls":
        details = {**details, "tool_calls": [_call(each) for each in details["tool_calls"]]}
    return {**_picked(shown, _STEP), "step_details": details, "usage": _usage(shown["usage"])}


def _call(shown: Shown) -> Shown:
    if shown["type"] != "file_search":
        return shown
    return {"id": shown["id"], "type": "retrieval", "retrieval": {}}


def _tools(tools: Iterable[Shown]) -> list[Shown]:
    return [{"type": "retrieval"} if each["type"] == "file_search" else each for each in tools]


def _usage(counted: Shown | None) -> Shown | None:
    return None if counted is None else _picked(counted, _USAGE)


def _part(part: Shown) -> Shown:
    match part["type"]:
        case "text":
            text = part["text"]
            annotations = [_annotation(each) for each in text["annotations"] if each["type"] in _ANNOTATIONS]
            return {"type": "text", "text": {"value": text["value"], "annotations": annotations}}
        case "image_file":
            return {"type": "image_file", "image_file": {"file_id": part["image_file"]["file_id"]}}
        case "image_url":
            return _text(part["image_url"]["url"])
        case _:
            return _text(part["refusal"])


def _annotation(shown: Shown) -> Shown:
    if shown["type"] != "file_citation":
        return shown
    # Version 1 promised a quotation; version 2 gave it up.
    return {**shown, "file_citation": {"quote": "", **shown["file_citation"]}}


def _text(value: str) -> Shown:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def _picked(shown: Shown, names: Iterable[str]) -> Shown:
    return {name: shown[name] for name in names}


_PRESENTERS: Final[Mapping[str, Callable[[Shown], Shown]]] = {
    "list": _list,
    "assistant": _assistant,
    "thread": _thread,
    "thread.message": _message,
    "thread.run": _run,
    "thread.run.step": _step,
}
