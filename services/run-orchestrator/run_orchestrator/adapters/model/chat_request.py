"""A prompt as the body of POST /chat/completions. Pure. Used by `client`.

What equals the API's own default is left out, because models refuse parameters that they do not know even at their
default: reasoning models take no temperature, parallel_tool_calls is unknown to some of them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from run_engine.domain.objects import Json, Message, ToolCall

from run_orchestrator.adapters.model.images import Images
from run_orchestrator.application.prompt import Prompt
from run_orchestrator.application.spoken import turns_of

Body = dict[str, Any]


NO_IMAGES: Final = Images()


def body_of(prompt: Prompt, upstream_model: str, images: Images = NO_IMAGES) -> bytes:
    """The JSON of the request, for the model that the server knows as `upstream_model`."""
    body: Body = {
        "model": upstream_model,
        "messages": list(_messages(prompt, images)),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if prompt.functions:
        body["tools"] = [_function(tool) for tool in prompt.functions]
        choice = _tool_choice(prompt)
        if choice != "auto":
            body["tool_choice"] = choice
        if not prompt.parallel_tool_calls:
            body["parallel_tool_calls"] = False
    if isinstance(prompt.response_format, dict):
        body["response_format"] = prompt.response_format
    if prompt.temperature is not None and prompt.temperature != 1:
        body["temperature"] = prompt.temperature
    if prompt.top_p is not None and prompt.top_p != 1:
        body["top_p"] = prompt.top_p
    if prompt.reasoning_effort is not None:
        body["reasoning_effort"] = prompt.reasoning_effort
    if prompt.max_completion_tokens is not None:
        body["max_completion_tokens"] = prompt.max_completion_tokens
    return orjson.dumps(body)


def _messages(prompt: Prompt, images: Images) -> Iterable[Body]:
    if prompt.instructions:
        yield {"role": "system", "content": prompt.instructions}
    for turn in turns_of(prompt.messages):
        if turn.message.role == "user":
            yield {"role": "user", "content": _user_content(turn.message, images)}
        else:
            yield from _assistant(_assistant_content(turn.message), turn.calls)
    for round_ in prompt.rounds:
        yield from _assistant(round_.said, round_.calls)


def _assistant(content: str | list[Body], calls: Sequence[ToolCall]) -> Iterable[Body]:
    if not calls:
        yield {"role": "assistant", "content": content}
        return
    yield {"role": "assistant", "content": content or None, "tool_calls": [_call(call) for call in calls]}
    for call in calls:
        yield {"role": "tool", "tool_call_id": call.id, "content": call.output or ""}


def _user_content(message: Message, images: Images) -> str | list[Body]:
    parts = [_user_part(part, images) for part in message.content]
    if len(parts) == 1 and parts[0]["type"] == "text":
        text: str = parts[0]["text"]
        return text
    return parts


def _user_part(part: Json, images: Images) -> Body:
    match part:
        case {"type": "text", "text": {"value": value}}:
            return {"type": "text", "text": value}
        case {"type": "image_url", "image_url": image}:
            return {"type": "image_url", "image_url": {name: value for name, value in image.items() if value}}
        case {"type": "image_file", "image_file": {"file_id": file_id}} if file_id in images.urls:
            detail = part["image_file"].get("detail")
            shown = {"url": images.urls[file_id], **({"detail": detail} if detail else {})}
            return {"type": "image_url", "image_url": shown}
        case {"type": "image_file", "image_file": {"file_id": file_id}}:
            # Better said than left out: the model can tell the user that it does not see the image.
            reason = f": {images.hidden[file_id]}" if file_id in images.hidden else ""
            return {"type": "text", "text": f"[image {file_id}, which you cannot see{reason}]"}
        case _:
            return {"type": "text", "text": f"[{part.get('type')}, which you cannot see]"}


def _assistant_content(message: Message) -> str | list[Body]:
    parts: list[Body] = []
    for part in message.content:
        match part:
            case {"type": "text", "text": {"value": value}}:
                parts.append({"type": "text", "text": value})
            case {"type": "refusal", "refusal": value}:
                parts.append({"type": "refusal", "refusal": value})
            case _:
                # The API takes no images from an assistant.
                parts.append({"type": "text", "text": f"[{part.get('type')}, which you cannot see]"})
    if len(parts) == 1 and parts[0]["type"] == "text":
        text: str = parts[0]["text"]
        return text
    return parts


def _call(call: ToolCall) -> Body:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _function(tool: Json) -> Body:
    function = {name: value for name, value in tool["function"].items() if value is not None}
    return {"type": "function", "function": function}


def _tool_choice(prompt: Prompt) -> Json:
    match prompt.tool_choice:
        case "none" | "required":
            return prompt.tool_choice
        case {"type": "function", "function": {"name": name}} if name in prompt.function_names:
            return {"type": "function", "function": {"name": name}}
        case _:
            # "auto", or a tool that is not offered: the model decides.
            return "auto"
