"""Checks the `messages` of a request by the rules of OpenAI's API, and reads the text out of a message."""

from typing import Any

from model_simulator.request.refusals import Refusal, RefusedError

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")


def check_messages(messages: Any) -> list[dict[str, Any]]:
    """Return the messages as they are. Raises RefusedError for a wrong shape, or calls and answers that do not meet."""
    if messages is None:
        raise _refused("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not isinstance(messages, list):
        kind = type(messages).__name__
        message = f"Invalid type for 'messages': expected an array of objects, but got {kind} instead."
        raise _refused(message, "messages", "invalid_type")
    if not messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise _refused(message, "messages", "empty_array")
    open_calls: list[str] = []
    for index, message in enumerate(messages):
        _check_shape(index, message)
        open_calls = _match_calls(index, message, open_calls)
    if open_calls:
        raise _unanswered(len(messages) - 1, open_calls)
    return messages


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message, its parts joined by line breaks; "" where it has none."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))
    return ""


def _check_shape(index: int, message: Any) -> None:
    where = f"messages[{index}]"
    if not isinstance(message, dict):
        raise _refused(f"Invalid type for '{where}': expected an object.", where, "invalid_type")
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        supported = ", ".join(f"'{each}'" for each in _ROLES)
        raise _refused(f"Invalid value: '{role}'. Supported values are: {supported}.", f"{where}.role", "invalid_value")
    if content is None and not (role == "assistant" and message.get("tool_calls")):
        message_text = "Invalid value for 'content': expected a string, got null."
        raise _refused(message_text, f"{where}.content")
    is_list_of_parts = isinstance(content, list) and all(isinstance(part, dict) for part in content)
    if not (content is None or isinstance(content, str) or is_list_of_parts):
        message_text = f"Invalid type for '{where}.content': expected one of a string or array of objects."
        raise _refused(message_text, f"{where}.content", "invalid_type")


def _match_calls(index: int, message: dict[str, Any], open_calls: list[str]) -> list[str]:
    """Return the tool calls that are still to be answered after this message."""
    if message["role"] == "tool":
        if message.get("tool_call_id") not in open_calls:
            text = (
                "Invalid parameter: messages with role 'tool' must be a response to a preceeding "
                "message with 'tool_calls'."
            )
            raise _refused(text, f"messages.[{index}].role")
        return [call for call in open_calls if call != message["tool_call_id"]]
    if open_calls:
        raise _unanswered(index, open_calls)
    return [_call_id(index, call) for call in message.get("tool_calls") or []]


def _call_id(index: int, call: Any) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    fits = (
        isinstance(function, dict)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str)
    )
    if not fits or not isinstance(call.get("id"), str):
        where = f"messages[{index}].tool_calls"
        raise _refused(
            f"Invalid value for '{where}': expected id and function name and arguments.", where, "invalid_value"
        )
    return str(call["id"])


def _unanswered(index: int, open_calls: list[str]) -> RefusedError:
    text = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(open_calls)}"
    )
    return _refused(text, f"messages.[{index}].role")


def _refused(message: str, param: str, code: str | None = None) -> RefusedError:
    return RefusedError(Refusal.of(400, message, param=param, code=code))
