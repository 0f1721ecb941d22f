"""Whether a conversation is one that an assistant can answer: the rules of chat models. Pure.

OpenAI's threads ask for none of this, so neither do runs themselves; dialects whose clients write the messages of tools
ask for it before a run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from run_engine.domain.objects import Role
from run_engine.errors import Unanswerable


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, as far as the rules go."""

    role: Role
    call_ids: tuple[str, ...] = ()
    """Of an assistant's message: the calls that it asks for."""
    tool_call_id: str | None = None
    """Of a tool's message: the call that it answers."""


def check_turns(turns: Sequence[Turn], *, whole: bool) -> None:
    """Raise `Unanswerable` where the conversation breaks a rule. `turns` are its newest messages, oldest first.

    At least one message is a user's; the last one is a user's or a tool's; messages of tools follow the assistant's
    message that asks for their calls, and all of its calls are answered before anything else is said. Unless `turns`
    are the `whole` conversation, what may lie before them is given the benefit of the doubt.
    """
    if whole and not any(turn.role == "user" for turn in turns):
        raise Unanswerable("no_user_message")
    asked: set[str] = set()
    open_calls: dict[str, None] = {}
    asking = False
    for turn in turns:
        if turn.role == "tool":
            call_id = turn.tool_call_id or ""
            if call_id not in asked and (whole or asking):
                raise Unanswerable("no_such_call", (call_id,))
            open_calls.pop(call_id, None)
            continue
        if open_calls:
            raise Unanswerable("calls_not_answered", tuple(open_calls))
        asked = set(turn.call_ids)
        open_calls = dict.fromkeys(turn.call_ids)
        asking = True
    if open_calls:
        raise Unanswerable("calls_not_answered", tuple(open_calls))
    if turns and turns[-1].role == "assistant":
        raise Unanswerable("nothing_to_answer")
