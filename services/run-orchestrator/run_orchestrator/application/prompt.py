"""What the model is asked: the run's instructions, the thread's messages, the finished tool rounds. Pure.

Built by `drive` from what the store returned; the model adapter puts it on the wire.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from run_engine.domain.objects import Json, Message, Run, RunStep, ToolCall
from run_engine.domain.status import MessageStatus, StepStatus

from run_orchestrator.application.ending import IncompleteReason

WEIGHT_OF_AN_IMAGE: Final = 4_000
"""Characters that an image counts for: about a thousand tokens, a medium one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question to the model. Fields that a run can leave open are None there."""

    tenant_id: str
    """Whose messages they are: the files in them are this tenant's."""
    model: str
    instructions: str | None
    messages: tuple[Message, ...]
    """Oldest first, each with something in it."""
    rounds: tuple[tuple[ToolCall, ...], ...]
    """The tool calls of this run so far, round by round, each with its output."""
    functions: tuple[Json, ...]
    """The function tools of the run, in OpenAI's shape. Its other tools are not offered: nothing here answers them."""
    tool_choice: Json
    """What the run asks for, while it may still be forced."""
    parallel_tool_calls: bool
    response_format: Json
    temperature: float | None
    top_p: float | None
    reasoning_effort: str | None
    max_completion_tokens: int | None
    """What is left of the run's limit."""

    @property
    def function_names(self) -> frozenset[str]:
        """The names of the functions that the model may call."""
        return frozenset(tool["function"]["name"] for tool in self.functions)


def build_prompt(run: Run, newest_first: Sequence[Message], steps: Sequence[RunStep]) -> Prompt:
    """The prompt of a run that has these messages and has taken these steps."""
    rounds = tuple(step.tool_calls for step in _finished_rounds(steps))
    return Prompt(
        tenant_id=run.tenant_id,
        model=run.model,
        instructions=run.instructions,
        messages=tuple(message for message in reversed(newest_first) if _says_something(message)),
        rounds=rounds,
        functions=tuple(tool for tool in run.tools if tool.get("type") == "function"),
        # "Must call a tool before it responds": a choice that held on after the first round would never let it respond.
        tool_choice="auto" if rounds else run.tool_choice,
        parallel_tool_calls=run.parallel_tool_calls,
        response_format=run.response_format,
        temperature=run.temperature,
        top_p=run.top_p,
        reasoning_effort=run.reasoning_effort,
        max_completion_tokens=_completion_tokens_left(run, steps),
    )


def most_messages(run: Run, bound: int) -> int:
    """How many of the newest messages the run's truncation strategy takes, at most `bound`."""
    strategy = run.truncation_strategy or {}
    if strategy.get("type") == "last_messages" and strategy.get("last_messages") is not None:
        return min(int(strategy["last_messages"]), bound)
    return bound


def used_up(run: Run, steps: Sequence[RunStep]) -> IncompleteReason | None:
    """Which of its token limits the run has used up with the steps so far, if one."""
    prompt_tokens = sum(step.usage.prompt_tokens for step in steps if step.usage is not None)
    if run.max_prompt_tokens is not None and prompt_tokens >= run.max_prompt_tokens:
        return "max_prompt_tokens"
    left = _completion_tokens_left(run, steps)
    return "max_completion_tokens" if left is not None and left < 1 else None


def shortened(prompt: Prompt) -> Prompt | None:
    """`prompt` with the newer half of its messages, by characters; None when there is nothing left to leave out.

    Tool rounds stay: a model refuses calls without answers, and they are what the run has worked for.
    """
    if len(prompt.messages) < 2:
        return None
    allowed = sum(map(weight, prompt.messages)) / 2
    kept: list[Message] = []
    for message in reversed(prompt.messages):
        allowed -= weight(message)
        if allowed < 0 and kept:
            break
        kept.append(message)
    kept.reverse()
    return replace(prompt, messages=tuple(kept))


def weight(message: Message) -> int:
    """How much a message takes of a prompt, in characters."""
    return sum(_weight_of_part(part) for part in message.content)


def _weight_of_part(part: Any) -> int:
    match part:
        case {"type": "text", "text": {"value": str(value)}}:
            return len(value)
        case {"type": "refusal", "refusal": str(value)}:
            return len(value)
        case _:
            return WEIGHT_OF_AN_IMAGE


def _says_something(message: Message) -> bool:
    return message.status is not MessageStatus.IN_PROGRESS and weight(message) > 0


def _finished_rounds(steps: Sequence[RunStep]) -> list[RunStep]:
    return [step for step in steps if step.type == "tool_calls" and step.status is StepStatus.COMPLETED]


def _completion_tokens_left(run: Run, steps: Sequence[RunStep]) -> int | None:
    if run.max_completion_tokens is None:
        return None
    return run.max_completion_tokens - sum(step.usage.completion_tokens for step in steps if step.usage is not None)
