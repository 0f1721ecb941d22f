"""The thread's messages as turns that a model takes: calls that clients wrote, each with its output. Pure.

A model takes the output of a tool only right after the message that called it, and a call only with its output. What
clients store need not be so: outputs come later, or twice, or never, and the message that called may not be part of the
prompt any more. Called by the model adapter, on what `fitting` has kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from run_engine.domain.objects import Message, ToolCall

from run_orchestrator.application.prompt import NOT_ANSWERED, text_of, written_calls
from run_orchestrator.application.tool_notes import note_of_output


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, of a user or an assistant, and the calls in it, each with its output."""

    message: Message
    calls: tuple[ToolCall, ...] = ()


def turns_of(messages: Sequence[Message]) -> list[Turn]:
    """The turns of `messages`, oldest first.

    A tool's message answers the last open call of its id before it, and goes where that is. One that answers none
    becomes a note in the user's name.
    """
    turns: list[tuple[Message, list[ToolCall]]] = []
    open_calls: dict[str, tuple[list[ToolCall], int]] = {}
    for message in messages:
        if message.role != "tool":
            calls = list(written_calls(message))
            open_calls |= {call.id: (calls, place) for place, call in enumerate(calls)}
            turns.append((message, calls))
            continue
        answered = open_calls.pop(message.tool_call_id or "", None)
        if answered is not None:
            calls, place = answered
            calls[place] = replace(calls[place], output=text_of(message))
        elif text_of(message):
            turns.append((_note(message), []))
    return [Turn(message, tuple(map(_answered, calls))) for message, calls in turns]


def _note(message: Message) -> Message:
    text = {"value": note_of_output(text_of(message)), "annotations": []}
    return replace(message, role="user", content=[{"type": "text", "text": text}])


def _answered(call: ToolCall) -> ToolCall:
    return replace(call, output=NOT_ANSWERED) if call.output is None else call
