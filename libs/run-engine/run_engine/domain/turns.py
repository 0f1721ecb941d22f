"""Whether a conversation is one that an assistant can answer: the rules of chat models. Pure.

OpenAI's threads ask for none of this, so neither do runs themselves; dialects whose clients write the messages of tools
ask for it before a run, and before a message is added.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from run_engine.domain.drafts import NewMessage
from run_engine.domain.objects import Role
from run_engine.errors import Unanswerable


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, as far as the rules go."""

    role: Role
    call_ids: tuple[str, ...] = ()
    """Of an assistant's message: the calls that it asks for."""
    tool_call_id: str | None = None
    """Of a tool's message: the call that it answers, if it names one."""


def turn_of(draft: NewMessage) -> Turn:
    """A message to be added, as a turn."""
    return Turn(draft.role, tuple(call["id"] for call in draft.tool_calls or ()), draft.tool_call_id)


def check_turns(turns: Sequence[Turn], *, whole: bool) -> None:
    """Raise `Unanswerable` where the conversation breaks a rule. `turns` are its newest messages, oldest first.

    At least one message is a user's; the last one is a user's or a tool's; messages of tools follow the assistant's
    message that asks for their calls, and all of its calls are answered before anything else is said. Unless `turns`
    are the `whole` conversation, what may lie before them is given the benefit of the doubt.
    """
    if whole and not any(turn.role == "user" for turn in turns):
        raise Unanswerable("no_user_message")
    for place, turn in enumerate(turns):
        check_next(turns[:place], turn, whole=whole)
    missing = _exchange(turns)[1]
    if missing:
        raise Unanswerable("calls_not_answered", missing)
    if turns and turns[-1].role == "assistant":
        raise Unanswerable("nothing_to_answer")


def check_next(turns: Sequence[Turn], turn: Turn, *, whole: bool) -> None:
    """Raise `Unanswerable` where `turn` may not follow `turns`: its call is not asked for, or others wait for answers.

    A tool's message that names no call is one of a dialect that has none: it belongs to nothing that could be missing.
    """
    asked, missing = _exchange(turns)
    if turn.role == "tool" and turn.tool_call_id is not None:
        unseen = not whole and all(earlier.role == "tool" for earlier in turns)
        if turn.tool_call_id not in asked and not unseen:
            raise Unanswerable("no_such_call", (turn.tool_call_id,))
    elif missing:
        raise Unanswerable("calls_not_answered", missing)


def _exchange(turns: Sequence[Turn]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the calls that the last message before those of tools asks for, and those of them without an answer."""
    answered: set[str | None] = set()
    for turn in reversed(turns):
        if turn.role != "tool":
            return turn.call_ids, tuple(call_id for call_id in turn.call_ids if call_id not in answered)
        answered.add(turn.tool_call_id)
    return (), ()
