"""The bytes on the wire are those of OpenAI's API: events in its order and shape, bodies, honest signs of origin."""

from typing import Any

import httpx
import orjson
import pytest

COMPLETIONS = "/v1/chat/completions"
DATES = [{"role": "user", "content": "Termine der Kurse 51589 und 50726?"}]


async def stream(http: httpx.AsyncClient, **body: Any) -> list[Any]:
    reply = await http.post(COMPLETIONS, json={"model": "demo", "stream": True, **body})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    blocks = reply.text.split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    assert blocks.pop() == "data: [DONE]"
    return [orjson.loads(block.removeprefix("data: ")) for block in blocks]


def without_choices(chunk: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chunk.items() if name not in ("choices", "usage")}


async def test_text_comes_as_role_then_content_then_finish_reason(http: httpx.AsyncClient) -> None:
    chunks = await stream(http, messages=[{"role": "user", "content": "hello"}])
    first = chunks[0]
    assert list(first) == ["id", "object", "created", "model", "service_tier", "system_fingerprint", "choices"]
    assert first["id"].startswith("chatcmpl-")
    assert first["object"] == "chat.completion.chunk"
    assert first["model"] == "demo"
    assert first["system_fingerprint"] == "threadworks-simulator"
    assert all(without_choices(chunk) == without_choices(first) for chunk in chunks)
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0] == {
        "index": 0,
        "delta": {"role": "assistant", "content": "", "refusal": None},
        "logprobs": None,
        "finish_reason": None,
    }
    assert choices[-1] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert all(list(choice["delta"]) == ["content"] and choice["finish_reason"] is None for choice in choices[1:-1])
    text = "".join(choice["delta"]["content"] for choice in choices[1:-1])
    assert "“hello”" in text
    assert len(choices) - 2 == -(-len(text) // 4)


async def test_usage_comes_in_a_chunk_of_its_own_and_only_when_asked_for(http: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "hello"}]
    assert all("usage" not in chunk for chunk in await stream(http, messages=messages))
    chunks = await stream(http, messages=messages, stream_options={"include_usage": True})
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    last = chunks[-1]
    assert last["choices"] == []
    # "hello" is two tokens of four characters, a message costs four more.
    assert last["usage"]["prompt_tokens"] == 6
    assert last["usage"]["completion_tokens"] == len(chunks) - 3
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]


async def test_tool_calls_come_as_begin_with_id_and_name_then_pieces(
    http: httpx.AsyncClient, moodle_tool: dict[str, Any]
) -> None:
    chunks = await stream(http, messages=DATES, tools=[moodle_tool])
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0]["role"] == "assistant"
    calls = [delta["tool_calls"][0] for delta in deltas[1:-1]]
    begins = [call for call in calls if "id" in call]
    assert [call["index"] for call in begins] == [0, 1]
    assert len({call["id"] for call in begins}) == 2
    assert all(
        call["type"] == "function"
        and call["function"] == {"name": "get_moodle_course_content", "arguments": ""}
        and call["id"].startswith("call_")
        for call in begins
    )
    arguments = ["", ""]
    for call in calls:
        arguments[call["index"]] += call["function"]["arguments"]
    assert [orjson.loads(each) for each in arguments] == [{"courseid": "51589"}, {"courseid": "50726"}]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_without_stream_the_same_answer_is_one_body(http: httpx.AsyncClient, moodle_tool: dict[str, Any]) -> None:
    body = {"model": "demo", "messages": DATES, "tools": [moodle_tool]}
    reply = (await http.post(COMPLETIONS, json=body)).json()
    assert reply["object"] == "chat.completion"
    choice = reply["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert [call["function"]["arguments"] for call in choice["message"]["tool_calls"]] == [
        '{"courseid":"51589"}',
        '{"courseid":"50726"}',
    ]
    plain = (
        await http.post(COMPLETIONS, json={"model": "demo", "messages": [{"role": "user", "content": "hi"}]})
    ).json()
    assert plain["choices"][0]["message"]["role"] == "assistant"
    assert "tool_calls" not in plain["choices"][0]["message"]
    assert plain["usage"]["completion_tokens"] == -(-len(plain["choices"][0]["message"]["content"]) // 4)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_a_token_limit_ends_the_answer_with_length(http: httpx.AsyncClient, name: str) -> None:
    chunks = await stream(http, messages=[{"role": "user", "content": "hello"}], **{name: 3})
    assert len(chunks) == 5
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "context_length_exceeded"), (401, "invalid_api_key"), (429, "rate_limit_exceeded"), (500, None)],
)
async def test_a_failure_can_be_asked_for_in_the_model_name(
    http: httpx.AsyncClient, status: int, code: str | None
) -> None:
    body = {"model": f"demo+status={status}", "messages": [{"role": "user", "content": "hi"}]}
    reply = await http.post(COMPLETIONS, json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert ("retry-after" in reply.headers) == (status == 429)


async def test_a_prompt_above_the_context_is_refused(http: httpx.AsyncClient) -> None:
    reply = await http.post(
        COMPLETIONS, json={"model": "demo", "messages": [{"role": "user", "content": "x" * 600_000}]}
    )
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "context_length_exceeded"


async def test_text_in_parts_is_read(http: httpx.AsyncClient, moodle_tool: dict[str, Any]) -> None:
    parts = [{"type": "text", "text": "Termine"}, {"type": "text", "text": "Kurs 51589"}]
    body = {"model": "demo", "messages": [{"role": "user", "content": parts}], "tools": [moodle_tool]}
    reply = (await http.post(COMPLETIONS, json=body)).json()
    assert reply["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"courseid":"51589"}'


async def test_it_says_everywhere_what_it_is(http: httpx.AsyncClient) -> None:
    root = await http.get("/")
    assert root.headers["server"] == "threadworks-model-simulator"
    assert "not a language model" in root.json()["what"]
    models = (await http.get("/v1/models")).json()
    assert models["object"] == "list"
    assert models["data"][0]["id"] == "demo"
    assert models["data"][0]["owned_by"] == "threadworks-model-simulator"
    assert (await http.get("/v1/models/any/name")).json()["id"] == "any/name"
