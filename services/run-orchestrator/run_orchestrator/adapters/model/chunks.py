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
            delta.get("content"),
            delta.get("refusal"),
            tuple(map(_call, calls)) if calls else (),
            choice.get("finish_reason"),
            _usage(usage) if usage else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError):
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
    return CallPiece(call.get("index"), call.get("id"), function.get("name"), function.get("arguments"))


def _usage(usage: Any) -> Usage:
    return Usage(
        prompt_tokens=int(usage.get("prompt_tokens") or 0), completion_tokens=int(usage.get("completion_tokens") or 0)
    )


def _no_chunk() -> ModelFailure:
    return ModelFailure(FailureKind.UNAVAILABLE, "The model server sent something that is no completion chunk.")
