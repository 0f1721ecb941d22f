"""What a reply means for its run: an answer, or calls of functions. Pure. Used by `drive`."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from run_engine.domain.drafts import NewToolCall
from run_engine.domain.objects import Json, Usage
from run_engine.store.driving import Said

from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.reply import FunctionCall, Reply

ErrorCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
IncompleteReason = Literal["max_completion_tokens", "max_prompt_tokens", "content_filter"]

LONGEST_ARGUMENTS: Final = 512 * 1024
"""Bytes of a call's arguments, as UTF-8: the most that `tool-call.requested` carries."""

_FUNCTION_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The run ends with a message. The ids are made before the first try to commit, so all tries write the same."""

    step_id: str
    message_id: str
    content: list[Json]
    usage: Usage
    incomplete_reason: IncompleteReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """The run waits for the answers of its calls, of services and of its client."""

    step_id: str
    calls: tuple[NewToolCall, ...]
    usage: Usage
    said: Said | None = None
    """What the model wrote before it called, unless that is stored already."""


@dataclass(frozen=True, slots=True)
class CutShort:
    """The run ends as incomplete, and there is no message to end it with."""

    reason: IncompleteReason
    usage: Usage


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ends with an error that its owner sees."""

    code: ErrorCode
    message: str


Ending = Finished | Parked | CutShort | Failed


def content_of(text: str, refusal: str) -> list[Json]:
    """The content parts of the message that a reply becomes.

    An empty reply becomes one empty text, not an empty list: clients read `content[0].text.value`.
    """
    if refusal and not text:
        return [{"type": "refusal", "refusal": refusal}]
    parts: list[Json] = [{"type": "text", "text": {"value": text, "annotations": []}}]
    if refusal:
        parts.append({"type": "refusal", "refusal": refusal})
    return parts


def cut_short_by(reply: Reply) -> IncompleteReason | None:
    """Why a reply is not whole, if it is not. Calls of such a reply are not made: their arguments may be halves."""
    if reply.finish_reason == "length":
        return "max_completion_tokens"
    if reply.finish_reason == "content_filter":
        return "content_filter"
    return None


def wanted_calls(reply: Reply, offered: Collection[str]) -> tuple[FunctionCall, ...]:
    """The calls that a whole reply asks for, none for an answer.

    Raises `ModelFailure` for calls that nobody could answer: functions that were not offered (only those of the run may
    be called, whatever the prompt talked the model into), names that no function can have, arguments without end.
    """
    if reply.finish_reason in {"tool_calls", "function_call"} and not reply.calls:
        raise ModelFailure(FailureKind.UNUSABLE_REPLY, "The model asked for tools and named none.")
    for call in reply.calls:
        if not _FUNCTION_NAME.fullmatch(call.name) or call.name not in offered:
            raise ModelFailure(FailureKind.UNUSABLE_REPLY, "The model called a function that the run does not have.")
        if len(call.arguments.encode()) > LONGEST_ARGUMENTS:
            raise ModelFailure(
                FailureKind.UNUSABLE_REPLY,
                f"The model called '{call.name}' with more than {LONGEST_ARGUMENTS} bytes of arguments.",
            )
    return reply.calls
