"""Reads the body of POST /v1/chat/completions into a `ChatRequest`, refusing what OpenAI's API refuses.

The strictness is the point: a caller that sends an orphaned tool message, or `parallel_tool_calls` without tools, must
find out here and not at its first real model. Parameters that only steer sampling are accepted and ignored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from model_simulator.request import tokens
from model_simulator.request.directives import Directives, read_directives
from model_simulator.request.messages import check_messages
from model_simulator.request.refusals import Refusal, RefusedError

ToolMode = Literal["auto", "none", "required"]


@dataclass(frozen=True, slots=True)
class OfferedFunction:
    """A function tool of the request; `parameters` is its JSON Schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A valid request. `forced` names the one function that `tool_choice` asks for, `prompt_tokens` is an estimate."""

    model: str
    directives: Directives
    messages: Sequence[dict[str, Any]]
    functions: Sequence[OfferedFunction]
    tool_mode: ToolMode
    forced: str | None
    parallel_tool_calls: bool
    stream: bool
    include_usage: bool
    max_tokens: int | None
    prompt_tokens: int


def parse(raw: bytes) -> tuple[dict[str, Any], ChatRequest]:
    """Return the body as parsed JSON and what it means. Raises RefusedError, a 400 in OpenAI's words."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _refused("We could not parse the JSON body of your request. The API expects a JSON payload.") from None
    if not isinstance(body, dict):
        raise _refused("Invalid type: expected an object for the request body.", code="invalid_type")
    return body, _read(body)


def _read(body: dict[str, Any]) -> ChatRequest:
    model = body.get("model")
    if not model:
        raise _refused("you must provide a model parameter")
    if not isinstance(model, str):
        raise _wrong_type("model", "a string", model)
    if body.get("n") not in (None, 1):
        raise _refused("Invalid 'n': the simulator gives one choice.", param="n", code="unsupported_value")
    messages = check_messages(body.get("messages"))
    stream = _flag(body, "stream")
    functions = _functions(body.get("tools"))
    mode, forced = _tool_choice(body, functions)
    if body.get("parallel_tool_calls") is not None and not functions:
        raise _only_with_tools("parallel_tool_calls")
    return ChatRequest(
        model=model,
        directives=read_directives(model),
        messages=messages,
        functions=functions,
        tool_mode=mode,
        forced=forced,
        parallel_tool_calls=_flag(body, "parallel_tool_calls", default=True),
        stream=stream,
        include_usage=_include_usage(body, stream),
        max_tokens=_token_limit(body),
        prompt_tokens=tokens.count_prompt(messages, body.get("tools") or ()),
    )


def _functions(tools: Any) -> list[OfferedFunction]:
    if tools is None:
        return []
    if not isinstance(tools, list):
        raise _wrong_type("tools", "an array of objects", tools)
    if not tools:
        raise _refused("Invalid 'tools': empty array. Expected at least one tool.", param="tools", code="empty_array")
    return [_function(index, tool) for index, tool in enumerate(tools)]


def _function(index: int, tool: Any) -> OfferedFunction:
    where = f"tools[{index}]"
    if not isinstance(tool, dict):
        raise _wrong_type(where, "an object", tool)
    if tool.get("type") != "function":
        message = f"Invalid value: '{tool.get('type')}'. Supported values are: 'function'."
        raise _refused(message, param=f"{where}.type", code="invalid_value")
    function = tool.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
        raise _missing(f"{where}.function.name")
    parameters = function.get("parameters")
    return OfferedFunction(
        function["name"], function.get("description") or "", parameters if isinstance(parameters, dict) else {}
    )


def _tool_choice(body: dict[str, Any], functions: Sequence[OfferedFunction]) -> tuple[ToolMode, str | None]:
    choice = body.get("tool_choice")
    if choice is None:
        return "auto", None
    if not functions and choice != "none":
        raise _only_with_tools("tool_choice")
    if choice in ("auto", "none", "required"):
        return choice, None
    name = (
        choice["function"].get("name")
        if isinstance(choice, dict) and isinstance(choice.get("function"), dict)
        else None
    )
    if name is None:
        raise _wrong_type("tool_choice", "'none', 'auto', 'required' or an object that names a function", choice)
    if all(function.name != name for function in functions):
        raise _refused(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")
    return "required", name


def _include_usage(body: dict[str, Any], stream: bool) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if not stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise _refused(message, param="stream_options")
    if not isinstance(options, dict):
        raise _wrong_type("stream_options", "an object", options)
    return _flag(options, "include_usage")


def _token_limit(body: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        limit = body.get(name)
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool):
            raise _wrong_type(name, "an integer", limit)
        if limit < 1:
            message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {limit} instead."
            raise _refused(message, param=name, code="integer_below_min_value")
        return limit
    return None


def _flag(body: dict[str, Any], name: str, *, default: bool = False) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _wrong_type(name, "a boolean", value)
    return value


def _refused(message: str, *, param: str | None = None, code: str | None = None) -> RefusedError:
    return RefusedError(Refusal.of(400, message, param=param, code=code))


def _missing(param: str) -> RefusedError:
    return _refused(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def _wrong_type(param: str, expected: str, value: Any) -> RefusedError:
    message = f"Invalid type for '{param}': expected {expected}, but got {type(value).__name__} instead."
    return _refused(message, param=param, code="invalid_type")


def _only_with_tools(param: str) -> RefusedError:
    message = f"Invalid value for '{param}': '{param}' is only allowed when 'tools' are specified."
    return _refused(message, param=param)
