"""Chooses an offered function and fills its arguments from a conversation, by the names and types of its parameters."""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from model_simulator.answers.answer import ToolCall
from model_simulator.answers.conversation import Conversation
from model_simulator.request.chat_request import OfferedFunction

_COURSE_PARAMETER = re.compile(r"^(?:(?:moodle)?(?:course|kurs)s?(?:id|ids|nr|nummer|number)?|idcourse|idkurs)$")
_QUESTION_PARAMETERS = frozenset({"query", "question", "q", "text", "prompt", "input", "search", "frage", "suche"})
_ABOUT_DATES = re.compile(r"date|schedule|calendar|deadline|event|termin|kalender|frist", re.IGNORECASE)


def course_parameter(function: OfferedFunction) -> str | None:
    """Return the name of the parameter that takes a course id (courseid, course_id, kursId, …), if there is one."""
    return next((name for name in _properties(function) if _COURSE_PARAMETER.match(_plain(name))), None)


def function_for_dates(functions: Sequence[OfferedFunction]) -> OfferedFunction | None:
    """Return the offered function that can tell dates: one that takes a course id, else one that speaks of dates."""
    by_course = [function for function in functions if course_parameter(function) is not None]
    by_name = [function for function in functions if _ABOUT_DATES.search(f"{function.name} {function.description}")]
    both = [function for function in by_course if function in by_name]
    chosen = both or by_course or [function for function in by_name if _fillable(function)]
    return chosen[0] if chosen else None


def call(function: OfferedFunction, conversation: Conversation, course_id: str | None) -> ToolCall:
    """Build the call: every required parameter gets a value, and the course id goes where it belongs."""
    properties, required = _properties(function), function.parameters.get("required") or []
    course = course_parameter(function)
    arguments: dict[str, Any] = {}
    for name, schema in properties.items():
        if name == course and course_id is not None:
            arguments[name] = _typed_id(course_id, schema)
        elif name in required:
            arguments[name] = _value(name, schema, conversation)
    return ToolCall(function.name, orjson.dumps(arguments).decode())


def _fillable(function: OfferedFunction) -> bool:
    properties, required = _properties(function), function.parameters.get("required") or []
    return all(_plain(name) in _QUESTION_PARAMETERS or "enum" in properties.get(name, {}) for name in required)


def _typed_id(course_id: str, schema: dict[str, Any]) -> Any:
    match schema.get("type"):
        case "integer" | "number":
            return int(course_id)
        case "array":
            return [_typed_id(course_id, schema.get("items") or {})]
        case _:
            return course_id


def _value(name: str, schema: dict[str, Any], conversation: Conversation) -> Any:
    """Return a value that fits the type, for a parameter about which the conversation says nothing special."""
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return 0
        case "boolean":
            return False
        case "array":
            return []
        case "object":
            return {}
        case _:
            return conversation.question if _plain(name) in _QUESTION_PARAMETERS else ""


def _properties(function: OfferedFunction) -> dict[str, dict[str, Any]]:
    properties = function.parameters.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: schema if isinstance(schema, dict) else {} for name, schema in properties.items()}


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
