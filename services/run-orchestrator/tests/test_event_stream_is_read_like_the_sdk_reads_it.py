"""Our own reading of a stream, which the hot path uses, against the SDK's, on the same bytes cut in the same way."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from run_engine.domain.objects import Usage
from run_orchestrator.adapters.model.chunks import MOST_TOKENS, is_end, piece_of
from run_orchestrator.adapters.model.event_stream import EventStreamReader
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.reply import CallPiece, Piece


def event(end: str = "\n", **chunk: Any) -> bytes:
    envelope = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "demo"}
    return b"data: " + orjson.dumps({**envelope, **chunk}) + (end * 2).encode()


def delta(finish_reason: str | None = None, end: str = "\n", **fields: Any) -> bytes:
    return event(end, choices=[{"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish_reason}])


def call(index: int, end: str = "\n", **fields: Any) -> bytes:
    return delta(end=end, tool_calls=[{"index": index, **fields}])


DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
ANSWER = b"".join(
    [
        delta(role="assistant", content="", refusal=None),
        delta(content="Grüße"),
        b": keepalive\n\n",
        delta(content=" aus 北京 😀"),
        b"event: message\nid: 7\nretry: 100\n" + delta(content="\n\nund zwei Zeilen"),
        delta("stop"),
        event(choices=[], usage=USAGE),
        DONE,
    ]
)
CALLS = b"".join(
    [
        call(0, id="call_a", type="function", function={"name": "f", "arguments": ""}),
        call(0, function={"arguments": '{"x":'}),
        call(1, id="call_b", type="function", function={"name": "g", "arguments": "{}"}),
        call(0, function={"arguments": " 1}"}),
        delta("tool_calls"),
        event(choices=[], usage=USAGE),
        DONE,
    ]
)
CARRIAGE_RETURNS = b"".join([delta(end="\r\n", content="a"), delta(end="\r", content="b"), delta("stop", end="\r\n")])
SEVERAL_LINES = b'data: {"choices":\ndata: [{"index": 0, "delta":\ndata:{"content": "x"}}]}\n\n' + DONE
SEVERAL_LINES_WITH_CARRIAGE_RETURNS = SEVERAL_LINES.replace(b"\n", b"\r\n")
HALF_CHARACTERS = (
    rb'data: {"choices": [{"index": 0, "delta": {"content": "\ud83d"}}]}'
    + b"\n\n"
    + rb'data: {"choices": [{"index": 0, "delta": {"content": "\ude00"}}]}'
    + b"\n\n"
    + DONE
)
UNFINISHED = delta(content="a") + b'data: {"choices": [{"index"'
STREAMS = {
    "answer": ANSWER,
    "calls": CALLS,
    "carriage returns": CARRIAGE_RETURNS,
    "several lines": SEVERAL_LINES,
    "several lines with carriage returns": SEVERAL_LINES_WITH_CARRIAGE_RETURNS,
    "half characters": HALF_CHARACTERS,
    "unfinished": UNFINISHED,
    "after the end": delta(content="a") + DONE + delta(content="b"),
    "empty": b"",
}


def ours(parts: list[bytes]) -> list[Piece]:
    reader = EventStreamReader()
    pieces = []
    for part in parts:
        for data in reader.feed(part):
            if is_end(data):
                return pieces
            pieces.append(piece_of(data))
    return pieces


async def the_sdks(parts: list[bytes]) -> list[Piece]:
    async def arriving() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    def reply(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=arriving())

    async with (
        httpx2.AsyncClient(transport=httpx2.MockTransport(reply)) as http_client,
        openai.AsyncOpenAI(api_key="k", base_url="http://model/v1", http_client=http_client) as client,
    ):
        stream = await client.chat.completions.create(model="m", messages=[], stream=True)
        return [piece_of_object(chunk) async for chunk in stream]


def piece_of_object(chunk: ChatCompletionChunk) -> Piece:
    usage = chunk.usage and Usage(
        prompt_tokens=chunk.usage.prompt_tokens, completion_tokens=chunk.usage.completion_tokens
    )
    if not chunk.choices:
        return Piece(usage=usage)
    choice = chunk.choices[0]
    calls = tuple(
        CallPiece(call.index, call.id, call.function and call.function.name, call.function and call.function.arguments)
        for call in choice.delta.tool_calls or ()
    )
    # Chunks in the wild leave out what the SDK's types call required.
    finish_reason = getattr(choice, "finish_reason", None)
    return Piece(choice.delta.content, choice.delta.refusal, calls, finish_reason, usage)


@pytest.mark.parametrize("name", STREAMS)
async def test_whole(name: str) -> None:
    parts = [STREAMS[name]]
    assert ours(parts) == await the_sdks(parts)


@pytest.mark.parametrize("name", STREAMS)
async def test_byte_by_byte(name: str) -> None:
    parts = [bytes([byte]) for byte in STREAMS[name]]
    assert ours(parts) == await the_sdks(parts)


@pytest.mark.parametrize("name", STREAMS)
def test_any_cutting_gives_the_same(name: str) -> None:
    stream = STREAMS[name]
    whole = ours([stream])

    @given(st.lists(st.integers(0, len(stream)), max_size=30))
    @settings(max_examples=60)
    def cut(places: list[int]) -> None:
        edges = [0, *sorted(places), len(stream)]
        assert ours([stream[start:end] for start, end in itertools.pairwise(edges)]) == whole

    cut()


def test_the_streams_say_something() -> None:
    """The comparison would also hold if both read nothing."""
    assert "".join(piece.text or "" for piece in ours([ANSWER])) == "Grüße aus 北京 😀\n\nund zwei Zeilen"
    assert ours([ANSWER])[-1].usage == Usage(prompt_tokens=11, completion_tokens=7)
    assert next(piece.calls for piece in ours([CALLS])) == (CallPiece(0, "call_a", "f", ""),)
    assert [piece.text for piece in ours([CARRIAGE_RETURNS])] == ["a", "b", None]
    assert [piece.text for piece in ours([HALF_CHARACTERS])] == ["\ud83d", "\ude00"]
    assert [piece.text for piece in ours([SEVERAL_LINES])] == ["x"]
    assert [piece.text for piece in ours([SEVERAL_LINES_WITH_CARRIAGE_RETURNS])] == ["x"]
    assert len(ours([UNFINISHED])) == 1


@pytest.mark.parametrize("data", [b"", b"nonsense", b"[]", b"null", b'"x"', b'{"choices": 1}', b'{"choices": [1]}'])
def test_what_is_no_chunk_is_a_failure(data: bytes) -> None:
    with pytest.raises(ModelFailure) as caught:
        piece_of(data)
    assert caught.value.kind is FailureKind.UNAVAILABLE


@pytest.mark.parametrize(
    "delta",
    [
        {"content": ["a"]},
        {"content": 5},
        {"refusal": True},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": {"x": 1}}}]},
        {"tool_calls": [{"index": 0, "function": {"name": 7}}]},
        {"tool_calls": [{"index": [1], "function": {"name": "f"}}]},
        {"tool_calls": [{"index": 0, "id": 5}]},
    ],
)
def test_what_is_no_text_is_a_failure(delta: Any) -> None:
    with pytest.raises(ModelFailure) as caught:
        piece_of(orjson.dumps({"choices": [{"delta": delta}]}))
    assert caught.value.kind is FailureKind.UNAVAILABLE


@pytest.mark.parametrize(("count", "tokens"), [("-5", 0), ("1e30", MOST_TOKENS), ("1.5", 1), ("null", 0)])
def test_counts_of_tokens_that_no_sum_can_hold(count: str, tokens: int) -> None:
    piece = piece_of(b'{"choices": [], "usage": {"prompt_tokens": %s}}' % count.encode())
    assert piece.usage == Usage(prompt_tokens=tokens)


@pytest.mark.parametrize("data", [b"{}", b'{"choices": []}', b'{"choices": null}', b'{"choices": [{"delta": null}]}'])
def test_chunks_without_content_add_nothing(data: bytes) -> None:
    assert piece_of(data) == Piece()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "x", "type": "server_error"}, FailureKind.UNAVAILABLE),
        ({"message": "x", "code": "rate_limit_exceeded"}, FailureKind.RATE_LIMITED),
        ({"message": "x", "type": "insufficient_quota"}, FailureKind.OUT_OF_QUOTA),
        ({"message": "x", "type": "invalid_request_error"}, FailureKind.INVALID_PROMPT),
        ({"message": "maximum context length is 8192 tokens"}, FailureKind.CONTEXT_OVERFLOW),
        ("overloaded", FailureKind.UNAVAILABLE),
    ],
)
def test_errors_in_the_stream(error: Any, kind: FailureKind) -> None:
    with pytest.raises(ModelFailure) as caught:
        piece_of(orjson.dumps({"error": error}))
    assert caught.value.kind is kind
