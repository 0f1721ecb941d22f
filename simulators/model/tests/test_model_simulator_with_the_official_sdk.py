"""The unmodified `openai` client understands every kind of reply, streamed and whole, and maps the errors as usual."""

from typing import Any

import openai
import orjson
import pytest
from openai.types.chat import ChatCompletionMessageParam

DEMO: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Kurs-ID 51589"},
    {"role": "user", "content": "gib mir die termine von moodle"},
]


async def test_the_whole_exchange_with_a_tool_streamed(model: openai.AsyncOpenAI, moodle_tool: Any) -> None:
    calls: dict[int, dict[str, str]] = {}
    usage = None
    reasons = []
    chunks = await model.chat.completions.create(
        model="demo", messages=DEMO, tools=[moodle_tool], stream=True, stream_options={"include_usage": True}
    )
    async for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            reasons.append(choice.finish_reason)
            for delta in choice.delta.tool_calls or []:
                assert delta.function is not None
                call = calls.setdefault(delta.index, {"id": "", "name": "", "arguments": ""})
                call["id"] += delta.id or ""
                call["name"] += delta.function.name or ""
                call["arguments"] += delta.function.arguments or ""
    assert reasons[-1] == "tool_calls"
    assert [(each["name"], each["arguments"]) for each in calls.values()] == [
        ("get_moodle_course_content", '{"courseid":"51589"}')
    ]
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.completion_tokens > 0

    call = calls[0]
    answered: list[ChatCompletionMessageParam] = [
        *DEMO,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": call["arguments"]},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call["id"], "content": "## 25.10. 09-15 Uhr, WH Gebäude C 406"},
    ]
    text = ""
    async for chunk in await model.chat.completions.create(
        model="demo", messages=answered, tools=[moodle_tool], stream=True
    ):
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert "- **25.10.**: 09-15 Uhr, WH Gebäude C 406" in text


async def test_the_accumulating_helper_of_the_sdk_agrees_with_the_whole_body(
    model: openai.AsyncOpenAI, moodle_tool: Any
) -> None:
    async with model.chat.completions.stream(model="demo", messages=DEMO, tools=[moodle_tool]) as stream:
        streamed = await stream.get_final_completion()
    whole = await model.chat.completions.create(model="demo", messages=DEMO, tools=[moodle_tool])
    for completion in (streamed, whole):
        assert completion.system_fingerprint == "threadworks-simulator"
        assert completion.choices[0].finish_reason == "tool_calls"
        assert completion.choices[0].message.content is None or completion.choices[0].message.content == ""
        (call,) = completion.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert orjson.loads(call.function.arguments) == {"courseid": "51589"}


async def test_models_are_listed(model: openai.AsyncOpenAI) -> None:
    assert [each.id async for each in model.models.list()] == ["demo"]
    assert (await model.models.retrieve("demo")).owned_by == "threadworks-model-simulator"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_errors_become_the_exceptions_of_the_sdk(
    model: openai.AsyncOpenAI, status: int, expected: type[openai.APIStatusError]
) -> None:
    with pytest.raises(expected) as caught:
        await model.chat.completions.create(model=f"demo+status={status}", messages=DEMO, stream=True)
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"]


async def test_a_connection_cut_in_the_stream_is_an_error_of_the_client(model: openai.AsyncOpenAI, http: Any) -> None:
    await http.post("/control/script", json={"replies": [{"steps": ["one ", "two ", {"cut": True}]}]})
    texts = []
    with pytest.raises(openai.APIConnectionError):
        async for chunk in await model.chat.completions.create(model="demo", messages=DEMO, stream=True):
            texts.append(chunk.choices[0].delta.content)
    assert texts == ["", "one ", "two "]


async def test_an_error_event_inside_a_stream_is_raised(model: openai.AsyncOpenAI, http: Any) -> None:
    event = 'data: {"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}\n\n'
    await http.post("/control/script", json={"replies": [{"steps": ["one", {"raw": event}]}]})
    with pytest.raises(openai.APIError, match="overloaded"):
        async for _ in await model.chat.completions.create(model="demo", messages=DEMO, stream=True):
            pass
