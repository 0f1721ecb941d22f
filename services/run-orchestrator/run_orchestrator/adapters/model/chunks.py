"""From the data of one event to a `Piece`: what `chat.completion.chunk` objects say, read without making objects.

Used by `client` on the hot path; a test holds it to what the SDK reads from the same bytes.
"""

import json
from typing import Any, Final

import orjson
from run_engine.domain.objects import Usage

from run_orchestrator.adapters.model.errors import failure_in_stream
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.reply import CallPiece, Piece

MOST_TOKENS: Final = 10**12
"""Of one reply, whatever its server says."""

_NOTHING: Final = Piece()


def is_end(data: bytes) -> bool:
    """Whether the event says that the stream is over."""
    return data.startswith(b"[DONE]")


def piece_of(data: bytes) -> Piece:
    """The piece in one event. Raises `ModelFailure` for an error that the server reports, and for what is no chunk."""
    chunk = _parsed(data)
    try:
        if chunk.get("error"):
            raise failure_in_stream(chunk["error"])
        usage = chunk.get("usage")
        choices = chunk.get("choices")
        # We ask for one choice, so there is no other. The last chunk, with the usage, has none.
        choice = choices[0] if choices else None
        if choice is None:
            return Piece(usage=_usage(usage)) if usage else _NOTHING
        delta = choice.get("delta") or {}
        calls = delta.get("tool_calls")
        return Piece(
            _text(delta.get("content")),
            _text(delta.get("refusal")),
            tuple(map(_call, calls)) if calls else (),
            _text(choice.get("finish_reason")),
            _usage(usage) if usage else None,
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise _no_chunk() from None


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        # The standard library takes halves of surrogate pairs, which servers send when they cut a character in two.
        return json.loads(data)
    except ValueError:
        raise _no_chunk() from None


def _call(call: Any) -> CallPiece:
    function = call.get("function") or {}
    place = call.get("index")
    if place is not None and not isinstance(place, int):
        raise TypeError("the index of a call is a number")
    return CallPiece(place, _text(call.get("id")), _text(function.get("name")), _text(function.get("arguments")))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError("what a model says is text")


def _usage(usage: Any) -> Usage:
    return Usage(
        prompt_tokens=_tokens(usage.get("prompt_tokens")), completion_tokens=_tokens(usage.get("completion_tokens"))
    )


def _tokens(count: Any) -> int:
    # No model counts below nothing, and a sum of what it counts has to fit into the database.
    return min(max(int(count or 0), 0), MOST_TOKENS)


def _no_chunk() -> ModelFailure:
    return ModelFailure(FailureKind.UNAVAILABLE, "The model server sent something that is no completion chunk.")
