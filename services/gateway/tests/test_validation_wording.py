"""Every kind of violation of a request model, in OpenAI's words. Pure."""

from typing import Any

import pytest
from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.requests.assistants import CreateAssistant, ModifyAssistant
from gateway.entrypoints.http.openai.requests.fields import Body
from gateway.entrypoints.http.openai.requests.messages import MOST_MESSAGES, CreateMessage
from gateway.entrypoints.http.openai.requests.runs import CreateRun, CreateThreadAndRun, SubmitToolOutputs
from gateway.entrypoints.http.openai.requests.threads import CreateThread
from gateway.entrypoints.http.openai.requests.wording import choices, member_path, refusal_of_violations, type_name
from pydantic import ValidationError

LONG = "Expected a string with maximum length {}, but got a string with length {} instead."


def refusal(kind: type[Body], body: dict[str, Any]) -> Refusal:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(body)
    return refusal_of_violations(caught.value)


def check(kind: type[Body], body: dict[str, Any], message: str, param: str, code: str) -> None:
    found = refusal(kind, body)
    assert (found.status, found.message, found.param, found.code, found.kind) == (
        400,
        message,
        param,
        code,
        "invalid_request_error",
    )


ASSISTANT: list[tuple[dict[str, Any], str, str, str]] = [
    ({"model": None}, "Invalid type for 'model': expected a string, but got null instead.", "model", "invalid_type"),
    ({"model": 7}, "Invalid type for 'model': expected a string, but got an integer instead.", "model", "invalid_type"),
    (
        {"model": ["x"]},
        "Invalid type for 'model': expected a string, but got an array instead.",
        "model",
        "invalid_type",
    ),
    (
        {"model": ""},
        "Invalid 'model': empty string. Expected a string with minimum length 1, but got an empty string instead.",
        "model",
        "empty_string",
    ),
    ({"name": {}}, "Invalid type for 'name': expected a string, but got an object instead.", "name", "invalid_type"),
    (
        {"name": "n" * 300},
        f"Invalid 'name': string too long. {LONG.format(256, 300)}",
        "name",
        "string_above_max_length",
    ),
    (
        {"description": "n" * 513},
        f"Invalid 'description': string too long. {LONG.format(512, 513)}",
        "description",
        "string_above_max_length",
    ),
    (
        {"instructions": "n" * 256_001},
        f"Invalid 'instructions': string too long. {LONG.format(256000, 256001)}",
        "instructions",
        "string_above_max_length",
    ),
    ({"temprature": 1}, "Unknown parameter: 'temprature'.", "temprature", "unknown_parameter"),
    ({"file_ids": []}, "Unknown parameter: 'file_ids'.", "file_ids", "unknown_parameter"),
    ({"x" * 100: 1}, f"Unknown parameter: '{'x' * 64}...'.", "x" * 64 + "...", "unknown_parameter"),
    (
        {"temperature": "hot"},
        "Invalid type for 'temperature': expected a decimal, but got a string instead.",
        "temperature",
        "invalid_type",
    ),
    (
        {"temperature": True},
        "Invalid type for 'temperature': expected a decimal, but got a boolean instead.",
        "temperature",
        "invalid_type",
    ),
    (
        {"temperature": 3},
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
        "temperature",
        "decimal_above_max_value",
    ),
    (
        {"temperature": -0.1},
        "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -0.1 instead.",
        "temperature",
        "decimal_below_min_value",
    ),
    (
        {"top_p": 1.01},
        "Invalid 'top_p': decimal above maximum value. Expected a value <= 1, but got 1.01 instead.",
        "top_p",
        "decimal_above_max_value",
    ),
    (
        {"tools": "none"},
        "Invalid type for 'tools': expected an array of objects, but got a string instead.",
        "tools",
        "invalid_type",
    ),
    (
        {"tools": [1]},
        "Invalid type for 'tools[0]': expected an object, but got an integer instead.",
        "tools[0]",
        "invalid_type",
    ),
    ({"tools": [{}]}, "Missing required parameter: 'tools[0].type'.", "tools[0].type", "missing_required_parameter"),
    (
        {"tools": [{"type": 1}]},
        "Invalid type for 'tools[0].type': expected a string, but got an integer instead.",
        "tools[0].type",
        "invalid_type",
    ),
    (
        {"tools": [{"type": "code_interpreter"}, {"type": "retrieval"}]},
        "Invalid value: 'retrieval'. Supported values are: 'code_interpreter', 'file_search', and 'function'.",
        "tools[1].type",
        "invalid_value",
    ),
    (
        {"tools": [{"type": "code_interpreter", "x": 1}]},
        "Unknown parameter: 'tools[0].x'.",
        "tools[0].x",
        "unknown_parameter",
    ),
    (
        {"tools": [{"type": "function"}]},
        "Missing required parameter: 'tools[0].function'.",
        "tools[0].function",
        "missing_required_parameter",
    ),
    (
        {"tools": [{"type": "function", "function": "f"}]},
        "Invalid type for 'tools[0].function': expected an object, but got a string instead.",
        "tools[0].function",
        "invalid_type",
    ),
    (
        {"tools": [{"type": "function", "function": {}}]},
        "Missing required parameter: 'tools[0].function.name'.",
        "tools[0].function.name",
        "missing_required_parameter",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        "Invalid 'tools[0].function.name': string does not match pattern. "
        "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
        "tools[0].function.name",
        "invalid_value",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "a\n"}}]},
        "Invalid 'tools[0].function.name': string does not match pattern. "
        "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
        "tools[0].function.name",
        "invalid_value",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f" * 65}}]},
        f"Invalid 'tools[0].function.name': string too long. {LONG.format(64, 65)}",
        "tools[0].function.name",
        "string_above_max_length",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
        "Invalid type for 'tools[0].function.parameters': expected an object, but got an array instead.",
        "tools[0].function.parameters",
        "invalid_type",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "strict": "yes"}}]},
        "Invalid type for 'tools[0].function.strict': expected a boolean, but got a string instead.",
        "tools[0].function.strict",
        "invalid_type",
    ),
    (
        {"tools": [{"type": "code_interpreter"}] * 129},
        "Invalid 'tools': array too long. "
        "Expected an array with maximum length 128, but got an array with length 129 instead.",
        "tools",
        "array_above_max_length",
    ),
    (
        {"tools": [{"type": "file_search", "file_search": {"max_num_results": 51}}]},
        "Invalid 'tools[0].file_search.max_num_results': integer above maximum value. "
        "Expected a value <= 50, but got 51 instead.",
        "tools[0].file_search.max_num_results",
        "integer_above_max_value",
    ),
    (
        {"tools": [{"type": "file_search", "file_search": {"ranking_options": {"score_threshold": 1.5}}}]},
        "Invalid 'tools[0].file_search.ranking_options.score_threshold': decimal above maximum value. "
        "Expected a value <= 1, but got 1.5 instead.",
        "tools[0].file_search.ranking_options.score_threshold",
        "decimal_above_max_value",
    ),
    (
        {"tools": [{"type": "file_search", "file_search": {"ranking_options": {}}}]},
        "Missing required parameter: 'tools[0].file_search.ranking_options.score_threshold'.",
        "tools[0].file_search.ranking_options.score_threshold",
        "missing_required_parameter",
    ),
    (
        {"tool_resources": {"code_interpreter": {"file_ids": ["f"] * 21}}},
        "Invalid 'tool_resources.code_interpreter.file_ids': array too long. "
        "Expected an array with maximum length 20, but got an array with length 21 instead.",
        "tool_resources.code_interpreter.file_ids",
        "array_above_max_length",
    ),
    (
        {"tool_resources": {"file_search": {"vector_store_ids": ["a", "b"]}}},
        "Invalid 'tool_resources.file_search.vector_store_ids': array too long. "
        "Expected an array with maximum length 1, but got an array with length 2 instead.",
        "tool_resources.file_search.vector_store_ids",
        "array_above_max_length",
    ),
    (
        {"tool_resources": {"file_search": {"vector_store_ids": "a"}}},
        "Invalid type for 'tool_resources.file_search.vector_store_ids': "
        "expected an array of strings, but got a string instead.",
        "tool_resources.file_search.vector_store_ids",
        "invalid_type",
    ),
    (
        {"tool_resources": {"file_search": {"vector_stores": [{"file_ids": ["file-1"]}]}}},
        "Unsupported parameter: 'tool_resources.file_search.vector_stores'. "
        "Vector stores are not served yet, so none can be made here. Leave this field out.",
        "tool_resources.file_search.vector_stores",
        "unsupported_parameter",
    ),
    (
        {"metadata": []},
        "Invalid type for 'metadata': expected an object, but got an array instead.",
        "metadata",
        "invalid_type",
    ),
    (
        {"metadata": {"a": 1}},
        "Invalid type for 'metadata.a': expected a string, but got an integer instead.",
        "metadata.a",
        "invalid_type",
    ),
    (
        {"metadata": {str(number): "" for number in range(17)}},
        "Invalid 'metadata': too many properties. "
        "Expected an object with at most 16 properties, but got an object with 17 properties instead.",
        "metadata",
        "object_above_max_properties",
    ),
    (
        {"metadata": {"a": "v" * 513}},
        f"Invalid 'metadata.a': string too long. {LONG.format(512, 513)}",
        "metadata.a",
        "string_above_max_length",
    ),
    (
        {"metadata": {"k" * 70: "v"}},
        f"Invalid property name in 'metadata': 'kkk...kkk' is too long. {LONG.format(64, 70)}",
        f"metadata.{'k' * 64}...",
        "property_name_above_max_length",
    ),
    (
        {"response_format": 7},
        "Invalid type for 'response_format': expected one of 'auto' or an object, but got an integer instead.",
        "response_format",
        "invalid_type",
    ),
    (
        {"response_format": "json"},
        "Invalid value: 'json'. Supported values are: 'auto'.",
        "response_format",
        "invalid_value",
    ),
    (
        {"response_format": {}},
        "Missing required parameter: 'response_format.type'.",
        "response_format.type",
        "missing_required_parameter",
    ),
    (
        {"response_format": {"type": "xml"}},
        "Invalid value: 'xml'. Supported values are: 'text', 'json_object', and 'json_schema'.",
        "response_format.type",
        "invalid_value",
    ),
    (
        {"response_format": {"type": "json_schema"}},
        "Missing required parameter: 'response_format.json_schema'.",
        "response_format.json_schema",
        "missing_required_parameter",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        "Missing required parameter: 'response_format.json_schema.name'.",
        "response_format.json_schema.name",
        "missing_required_parameter",
    ),
    (
        {"reasoning_effort": "some"},
        "Invalid value: 'some'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'.",
        "reasoning_effort",
        "invalid_value",
    ),
    (
        {"reasoning_effort": 1},
        "Invalid type for 'reasoning_effort': expected one of 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', "
        "or 'max', but got an integer instead.",
        "reasoning_effort",
        "invalid_type",
    ),
]


@pytest.mark.parametrize(("fields", "message", "param", "code"), ASSISTANT)
def test_assistants(fields: dict[str, Any], message: str, param: str, code: str) -> None:
    check(CreateAssistant, {"model": "demo", **fields}, message, param, code)
    if fields != {"model": None} and "vector_stores" not in str(fields):
        check(ModifyAssistant, fields, message, param, code)


def test_a_missing_field_is_named_before_an_unknown_one_and_that_before_all_others() -> None:
    body = {"name": 7, "nope": 1}
    assert refusal(CreateAssistant, body).message == "Missing required parameter: 'model'."
    assert refusal(CreateAssistant, body | {"model": "demo"}).message == "Unknown parameter: 'nope'."
    nested = {"role": 7, "content": "x", "nope": 1, "attachments": [{}]}
    assert refusal(CreateMessage, nested).message == "Unknown parameter: 'nope'."


MESSAGE: list[tuple[dict[str, Any], str, str, str]] = [
    ({"content": "x"}, "Missing required parameter: '{}role'.", "role", "missing_required_parameter"),
    ({"role": "user"}, "Missing required parameter: '{}content'.", "content", "missing_required_parameter"),
    (
        {"role": "system", "content": "x"},
        "Invalid value: 'system'. Supported values are: 'user' and 'assistant'.",
        "role",
        "invalid_value",
    ),
    (
        {"role": 1, "content": "x"},
        "Invalid type for '{}role': expected one of 'user' or 'assistant', but got an integer instead.",
        "role",
        "invalid_type",
    ),
    (
        {"role": "user", "content": None},
        "Invalid type for '{}content': expected one of a string or array of objects, but got null instead.",
        "content",
        "invalid_type",
    ),
    (
        {"role": "user", "content": {"type": "text"}},
        "Invalid type for '{}content': expected one of a string or array of objects, but got an object instead.",
        "content",
        "invalid_type",
    ),
    (
        {"role": "user", "content": ""},
        "Invalid '{}content': empty string. Expected a string with minimum length 1, but got an empty string instead.",
        "content",
        "empty_string",
    ),
    (
        {"role": "user", "content": "x" * 256_001},
        f"Invalid '{{}}content': string too long. {LONG.format(256000, 256001)}",
        "content",
        "string_above_max_length",
    ),
    (
        {"role": "user", "content": []},
        "Invalid '{}content': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        "content",
        "empty_array",
    ),
    (
        {"role": "user", "content": ["x"]},
        "Invalid type for '{}content[0]': expected an object, but got a string instead.",
        "content[0]",
        "invalid_type",
    ),
    (
        {"role": "user", "content": [{"type": "text", "text": {"value": "x"}}]},
        "Invalid type for '{}content[0].text': expected a string, but got an object instead.",
        "content[0].text",
        "invalid_type",
    ),
    (
        {"role": "user", "content": [{"type": "refusal", "refusal": "x"}]},
        "Invalid value: 'refusal'. Supported values are: 'text', 'image_file', and 'image_url'.",
        "content[0].type",
        "invalid_value",
    ),
    (
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]},
        "Invalid '{}content[0].image_url.url'. Expected a valid URL, but got a value with an invalid format.",
        "content[0].image_url.url",
        "invalid_value",
    ),
    (
        {"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": "f", "detail": "much"}}]},
        "Invalid value: 'much'. Supported values are: 'auto', 'low', and 'high'.",
        "content[0].image_file.detail",
        "invalid_value",
    ),
    (
        {"role": "user", "content": "x", "attachments": [{"file_id": "f"}]},
        "Missing required parameter: '{}attachments[0].tools'.",
        "attachments[0].tools",
        "missing_required_parameter",
    ),
    (
        {"role": "user", "content": "x", "file_ids": ["f"]},
        "Unknown parameter: '{}file_ids'.",
        "file_ids",
        "unknown_parameter",
    ),
]


@pytest.mark.parametrize(("body", "message", "param", "code"), MESSAGE)
def test_messages_wherever_they_are(body: dict[str, Any], message: str, param: str, code: str) -> None:
    check(CreateMessage, body, message.format(""), param, code)
    good = {"role": "user", "content": "x"}
    place = "messages[1]."
    check(CreateThread, {"messages": [good, body]}, message.format(place), place + param, code)
    place = "additional_messages[1]."
    run = {"assistant_id": "asst_1", "additional_messages": [good, body]}
    check(CreateRun, run, message.format(place), place + param, code)
    place = "thread.messages[1]."
    run = {"assistant_id": "asst_1", "thread": {"messages": [good, body]}}
    check(CreateThreadAndRun, run, message.format(place), place + param, code)


RUN: list[tuple[dict[str, Any], str, str, str]] = [
    (
        {"assistant_id": 7},
        "Invalid type for 'assistant_id': expected a string, but got an integer instead.",
        "assistant_id",
        "invalid_type",
    ),
    (
        {"max_prompt_tokens": 255},
        "Invalid 'max_prompt_tokens': integer below minimum value. Expected a value >= 256, but got 255 instead.",
        "max_prompt_tokens",
        "integer_below_min_value",
    ),
    (
        {"max_completion_tokens": 2**31},
        "Invalid 'max_completion_tokens': integer above maximum value. "
        "Expected a value <= 2147483647, but got 2147483648 instead.",
        "max_completion_tokens",
        "integer_above_max_value",
    ),
    (
        {"max_prompt_tokens": 300.5},
        "Invalid type for 'max_prompt_tokens': expected an integer, but got a decimal number instead.",
        "max_prompt_tokens",
        "invalid_type",
    ),
    (
        {"tools": [{"type": "code_interpreter"}] * 21},
        "Invalid 'tools': array too long. "
        "Expected an array with maximum length 20, but got an array with length 21 instead.",
        "tools",
        "array_above_max_length",
    ),
    (
        {"truncation_strategy": {"type": "last_messages"}},
        "Missing required parameter: 'truncation_strategy.last_messages'.",
        "truncation_strategy.last_messages",
        "missing_required_parameter",
    ),
    (
        {"truncation_strategy": {"type": "last_messages", "last_messages": 0}},
        "Invalid 'truncation_strategy.last_messages': integer below minimum value. "
        "Expected a value >= 1, but got 0 instead.",
        "truncation_strategy.last_messages",
        "integer_below_min_value",
    ),
    (
        {"truncation_strategy": "auto"},
        "Invalid type for 'truncation_strategy': expected an object, but got a string instead.",
        "truncation_strategy",
        "invalid_type",
    ),
    (
        {"tool_choice": 7},
        "Invalid type for 'tool_choice': expected one of 'none', 'auto', or 'required' or an object, "
        "but got an integer instead.",
        "tool_choice",
        "invalid_type",
    ),
    (
        {"tool_choice": "any"},
        "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
        "tool_choice",
        "invalid_value",
    ),
    (
        {"tool_choice": {"type": "function"}},
        "Missing required parameter: 'tool_choice.function'.",
        "tool_choice.function",
        "missing_required_parameter",
    ),
    (
        {"tool_choice": {"type": "web"}},
        "Invalid value: 'web'. Supported values are: 'function', 'code_interpreter', and 'file_search'.",
        "tool_choice.type",
        "invalid_value",
    ),
    (
        {"parallel_tool_calls": "no"},
        "Invalid type for 'parallel_tool_calls': expected a boolean, but got a string instead.",
        "parallel_tool_calls",
        "invalid_type",
    ),
    (
        {"stream": "true"},
        "Invalid type for 'stream': expected a boolean, but got a string instead.",
        "stream",
        "invalid_type",
    ),
    (
        {"additional_messages": {"role": "user"}},
        "Invalid type for 'additional_messages': expected an array of objects, but got an object instead.",
        "additional_messages",
        "invalid_type",
    ),
]


@pytest.mark.parametrize(("fields", "message", "param", "code"), RUN)
def test_runs(fields: dict[str, Any], message: str, param: str, code: str) -> None:
    check(CreateRun, {"assistant_id": "asst_1", **fields}, message, param, code)
    if param != "additional_messages":
        check(CreateThreadAndRun, {"assistant_id": "asst_1", **fields}, message, param, code)


OUTPUTS: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "Missing required parameter: 'tool_outputs'.", "tool_outputs", "missing_required_parameter"),
    (
        {"tool_outputs": {}},
        "Invalid type for 'tool_outputs': expected an array of objects, but got an object instead.",
        "tool_outputs",
        "invalid_type",
    ),
    (
        {"tool_outputs": [{"output": "x"}]},
        "Missing required parameter: 'tool_outputs[0].tool_call_id'.",
        "tool_outputs[0].tool_call_id",
        "missing_required_parameter",
    ),
    (
        {"tool_outputs": [{"tool_call_id": "call_1", "output": 7}]},
        "Invalid type for 'tool_outputs[0].output': expected a string, but got an integer instead.",
        "tool_outputs[0].output",
        "invalid_type",
    ),
    (
        {"tool_outputs": [{"tool_call_id": "call_1", "output": "x" * 524_289}]},
        f"Invalid 'tool_outputs[0].output': string too long. {LONG.format(524288, 524289)}",
        "tool_outputs[0].output",
        "string_above_max_length",
    ),
]


@pytest.mark.parametrize(("body", "message", "param", "code"), OUTPUTS)
def test_tool_outputs(body: dict[str, Any], message: str, param: str, code: str) -> None:
    check(SubmitToolOutputs, body, message, param, code)


def test_an_object_of_a_million_fields_is_refused_for_one() -> None:
    assert refusal(CreateAssistant, {"model": "x", **{f"f{n}": n for n in range(100_000)}}).code == "unknown_parameter"
    found = refusal(CreateAssistant, {"model": "x", "metadata": {f"f{n}": n for n in range(100_000)}})
    assert found.code == "object_above_max_properties"


def test_a_list_of_a_million_wrong_elements_is_refused_for_the_first() -> None:
    with pytest.raises(ValidationError) as caught:
        CreateThread.model_validate({"messages": [1] * MOST_MESSAGES})
    assert caught.value.error_count() == 1


def test_a_request_brings_no_more_messages_than_can_be_written_in_one_statement() -> None:
    message = {"role": "user", "content": "x"}
    assert len(CreateThread.model_validate({"messages": [message] * 10_000}).messages or ()) == 10_000
    for kind, field, more in (
        (CreateThread, "messages", {}),
        (CreateRun, "additional_messages", {"assistant_id": "a"}),
    ):
        found = refusal(kind, {field: [message] * 10_001, **more})
        assert found.message == (
            f"Invalid '{field}': array too long. "
            "Expected an array with maximum length 10000, but got an array with length 10001 instead."
        )
        assert (found.param, found.code) == (field, "array_above_max_length")


def test_words() -> None:
    assert choices(["a"], "and") == "'a'"
    assert choices(["a", "b"], "or") == "'a' or 'b'"
    assert choices(["a", "b", "c"], "or") == "'a', 'b', or 'c'"
    assert member_path(["tools", 0, "«function»", "function", "name"]) == "tools[0].function.name"
    names = [type_name(value) for value in (None, True, 1, 1.5, "", [], {})]
    assert names == [
        "null", "a boolean", "an integer", "a decimal number", "a string", "an array", "an object",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "url", ["https://example.org/a.png", "HTTPS://example.org/a.png", "data:image/png;base64,AA=="]
)
def test_addresses_of_images(url: str) -> None:
    message = CreateMessage.model_validate(
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
    )
    assert message.content[0].image_url.url == url  # type: ignore[union-attr]
