"""Where the pieces of a reply go: a stream of events or one JSON body, both exactly as OpenAI's API has them."""

import time
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

import orjson

from model_simulator.reply.exchange import Exchange
from model_simulator.reply.steps import CallArguments, CallBegin, Piece, Text
from model_simulator.request import tokens
from model_simulator.request.chat_request import ChatRequest

FINGERPRINT = "threadworks-simulator"

_DONE = b"data: [DONE]\n\n"


class Sink(Protocol):
    """Takes a reply in pieces; nothing has reached the client for sure before `flush` or `finish`."""

    def add(self, piece: Piece) -> None:
        """Take the next piece."""

    def add_raw(self, text: str) -> None:
        """Take text that is no part of the protocol."""

    async def flush(self) -> None:
        """Send what there is."""

    async def finish(self, reason: str | None, usage: Mapping[str, Any] | None) -> None:
        """End the reply; None: the reason, the usage that follow from the pieces."""


def sink_for(request: ChatRequest, exchange: Exchange) -> Sink:
    """Return the sink that the request asks for by `stream`."""
    return StreamSink(request, exchange) if request.stream else BodySink(request, exchange)


class StreamSink:
    """Server-sent events: the role first, one event a piece, the finish reason, the usage if asked for, [DONE].

    Pieces between two waits leave in one write: the events are the same, and the simulator costs a benchmark less.
    """

    def __init__(self, request: ChatRequest, exchange: Exchange) -> None:
        self._exchange = exchange
        self._prompt_tokens = request.prompt_tokens
        self._include_usage = request.include_usage
        self._content_characters = 0
        self._call_tokens = 0
        self._has_calls = False
        envelope = {
            "id": f"chatcmpl-{uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": request.model,
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
        }
        self._begin = b"data: " + orjson.dumps(envelope)[:-1]
        self._before = self._begin + b',"choices":[{"index":0,"delta":'
        self._usage_null = b',"usage":null}\n\n' if request.include_usage else b"}\n\n"
        self._after = b',"logprobs":null,"finish_reason":null}]' + self._usage_null
        self._pending = [self._before, b'{"role":"assistant","content":"","refusal":null}', self._after]

    def add(self, piece: Piece) -> None:
        """Make the piece an event."""
        if isinstance(piece, Text):
            self._content_characters += len(piece.text)
            delta = b'{"content":' + orjson.dumps(piece.text) + b"}"
        else:
            delta = self._call_delta(piece)
        self._pending += (self._before, delta, self._after)

    def add_raw(self, text: str) -> None:
        """Put the text between the events."""
        self._pending.append(text.encode())

    async def flush(self) -> None:
        """Write the events that were added since the last time."""
        if self._pending:
            await self._exchange.stream(b"".join(self._pending))
            self._pending.clear()

    async def finish(self, reason: str | None, usage: Mapping[str, Any] | None) -> None:
        """Write the rest and end the stream."""
        chosen = reason or ("tool_calls" if self._has_calls else "stop")
        end = b'{},"logprobs":null,"finish_reason":' + orjson.dumps(chosen) + b"}]" + self._usage_null
        self._pending += (self._before, end)
        if self._include_usage:
            completion = -(-self._content_characters // tokens.CHARACTERS_PER_TOKEN) + self._call_tokens
            final = orjson.dumps(usage or usage_of(self._prompt_tokens, completion))
            self._pending += (self._begin, b',"choices":[],"usage":', final, b"}\n\n")
        self._pending.append(_DONE)
        await self._exchange.stream(b"".join(self._pending), last=True)

    def _call_delta(self, piece: CallBegin | CallArguments) -> bytes:
        self._has_calls = True
        if isinstance(piece, CallBegin):
            self._call_tokens += tokens.count(piece.name)
            call = _call(piece.id, piece.name, "")
            return orjson.dumps({"tool_calls": [{"index": piece.index, **call}]})
        self._call_tokens += tokens.count(piece.piece)
        return orjson.dumps({"tool_calls": [{"index": piece.index, "function": {"arguments": piece.piece}}]})


class BodySink:
    """One JSON body, a `chat.completion`."""

    def __init__(self, request: ChatRequest, exchange: Exchange) -> None:
        self._exchange = exchange
        self._request = request
        self._text: list[str] = []
        self._calls: list[tuple[CallBegin, list[str]]] = []

    def add(self, piece: Piece) -> None:
        """Keep the piece."""
        match piece:
            case Text():
                self._text.append(piece.text)
            case CallBegin():
                self._calls.append((piece, []))
            case CallArguments():
                self._calls[piece.index][1].append(piece.piece)

    def add_raw(self, text: str) -> None:
        """Drop it: a body has no room between its parts."""

    async def flush(self) -> None:
        """Do nothing: a body leaves when it is whole."""

    async def finish(self, reason: str | None, usage: Mapping[str, Any] | None) -> None:
        """Send the body."""
        text = "".join(self._text)
        calls = [_call(begin.id, begin.name, "".join(pieces)) for begin, pieces in self._calls]
        message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else "")}
        if calls:
            message["tool_calls"] = calls
        message |= {"refusal": None, "annotations": []}
        completion = tokens.count(text) + sum(
            tokens.count(begin.name) + tokens.count("".join(pieces)) for begin, pieces in self._calls
        )
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": reason or ("tool_calls" if calls else "stop"),
        }
        body = {
            "id": f"chatcmpl-{uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self._request.model,
            "choices": [choice],
            "usage": usage or usage_of(self._request.prompt_tokens, completion),
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
        }
        await self._exchange.reply(200, orjson.dumps(body))


def usage_of(prompt: int, completion: int) -> dict[str, Any]:
    """Return the usage object; both numbers are estimates (see `tokens`)."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
