"""What the model is asked: the run's instructions, the thread's messages, what the run said and called so far. Pure.

Built by `work` from what the store returned, cut by `fitting`; the model adapter puts it on the wire.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from run_engine.domain.objects import Json, Message, Run, RunStep, ToolCall
from run_engine.domain.status import MessageStatus, StepStatus

from run_orchestrator.application.ending import IncompleteReason
from run_orchestrator.application.tool_notes import note_of

WEIGHT_OF_AN_IMAGE: Final = 4_000
"""Characters that an image counts for: about a thousand tokens, a medium one."""


NOT_ANSWERED: Final = '{"error": {"code": "not_answered", "message": "The call was not answered."}}'
"""What the model is told of a call without an output: a service's of an imported run, which nobody asks here."""


@dataclass(frozen=True, slots=True)
class Round:
    """One reply of the model in this run: what it said, and the calls that it made beside that, each with its output.

    Calls that are no function calls are part of what it said. There may be no text or no calls, never neither.
    """

    said: str
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question to the model. Fields that a run can leave open are None there."""

    tenant_id: str
    """Whose messages they are: the files in them are this tenant's."""
    model: str
    instructions: str | None
    messages: tuple[Message, ...]
    """Those of the thread without what the run itself said: oldest first, each with something in it."""
    rounds: tuple[Round, ...]
    """What this run said and called so far, in its order. It goes on from there."""
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
    own = {step.message_id for step in steps if _is_own_message(step)}
    rounds = _rounds(steps, {message.id: message for message in newest_first if message.id in own})
    return Prompt(
        tenant_id=run.tenant_id,
        model=run.model,
        instructions=run.instructions,
        messages=tuple(
            message for message in reversed(newest_first) if message.id not in own and _says_something(message)
        ),
        rounds=rounds,
        functions=tuple(tool for tool in run.tools if tool.get("type") == "function"),
        tool_choice=_tool_choice(run, rounds),
        parallel_tool_calls=run.parallel_tool_calls,
        response_format=run.response_format,
        temperature=run.temperature,
        top_p=run.top_p,
        reasoning_effort=run.reasoning_effort,
        max_completion_tokens=_completion_tokens_left(run, steps),
    )


def most_messages(run: Run, bound: int, steps: Sequence[RunStep] = ()) -> int:
    """How many of the newest messages the prompt is made of: as many as the run's truncation strategy names, or `bound`
    for a run that names none; and what the run has said itself."""
    own = sum(map(_is_own_message, steps))
    strategy = run.truncation_strategy or {}
    if strategy.get("type") == "last_messages" and strategy.get("last_messages") is not None:
        return int(strategy["last_messages"]) + own
    return bound + own


def used_up(run: Run, steps: Sequence[RunStep]) -> IncompleteReason | None:
    """Which of its token limits the run has used up with the steps so far, if one."""
    left = prompt_tokens_left(run, steps)
    if left is not None and left < 1:
        return "max_prompt_tokens"
    left = _completion_tokens_left(run, steps)
    return "max_completion_tokens" if left is not None and left < 1 else None


def prompt_tokens_left(run: Run, steps: Sequence[RunStep]) -> int | None:
    """What is left of the run's `max_prompt_tokens`, which is for all its calls of the model; None: no limit."""
    if run.max_prompt_tokens is None:
        return None
    return run.max_prompt_tokens - sum(step.usage.prompt_tokens for step in steps if step.usage is not None)


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
    of_calls = sum(len(call.name) + len(call.arguments) for call in written_calls(message))
    return of_calls + sum(_weight_of_part(part) for part in message.content)


def written_calls(message: Message) -> tuple[ToolCall, ...]:
    """The calls in an assistant's message that a client wrote, each id once. What is no function's call is left out."""
    calls: dict[str, ToolCall] = {}
    for each in message.tool_calls or () if message.role == "assistant" else ():
        match each:
            case {"id": str(call_id), "function": {"name": str(name), "arguments": str(arguments)}}:
                call = ToolCall(id=call_id, name=name, arguments=arguments, service=None, output=None)
                calls.setdefault(call_id, call)
    return tuple(calls.values())


def _weight_of_part(part: Any) -> int:
    match part:
        case {"type": "text", "text": {"value": str(value)}}:
            return len(value)
        case {"type": "refusal", "refusal": str(value)}:
            return len(value)
        case _:
            return WEIGHT_OF_AN_IMAGE


def _says_something(message: Message) -> bool:
    # An empty output is an answer all the same.
    says = weight(message) > 0 or (message.role == "tool" and message.tool_call_id is not None)
    return message.status is not MessageStatus.IN_PROGRESS and says


def _is_own_message(step: RunStep) -> bool:
    return step.type == "message_creation" and step.status is StepStatus.COMPLETED and step.message_id is not None


def _rounds(steps: Sequence[RunStep], own: Mapping[str, Message]) -> tuple[Round, ...]:
    """A message and the calls right after it were one reply. A message that no calls follow was one of its own: the
    worker was lost in between, or the model failed."""
    rounds: list[Round] = []
    said = ""
    for step in steps:
        if step.status is not StepStatus.COMPLETED:
            continue
        if step.type == "tool_calls":
            note = note_of(step.other_calls)
            rounds.append(Round("\n\n".join(filter(None, (said, note))), tuple(map(_answered, step.tool_calls))))
            said = ""
            continue
        if said:
            rounds.append(Round(said, ()))
        message = own.get(step.message_id or "")
        # Its owner may have deleted the message meanwhile.
        said = text_of(message) if message is not None else ""
    if said:
        rounds.append(Round(said, ()))
    return tuple(round_ for round_ in rounds if round_.said or round_.calls)


def text_of(message: Message) -> str:
    """What a message says in words, its parts joined by line breaks."""
    texts: list[str] = []
    for part in message.content:
        match part:
            case {"type": "text", "text": {"value": str(value)}} | {"type": "refusal", "refusal": str(value)}:
                texts.append(value)
    return "\n".join(filter(None, texts))


def _tool_choice(run: Run, rounds: Sequence[Round]) -> Json:
    # "Must call a tool before it responds": a choice that held on after the first round would never let it respond.
    if run.tool_choice != "none" and any(round_.calls for round_ in rounds):
        return "auto"
    return run.tool_choice


def _completion_tokens_left(run: Run, steps: Sequence[RunStep]) -> int | None:
    if run.max_completion_tokens is None:
        return None
    return run.max_completion_tokens - sum(step.usage.completion_tokens for step in steps if step.usage is not None)


def _answered(call: ToolCall) -> ToolCall:
    return replace(call, output=NOT_ANSWERED) if call.output is None else call
