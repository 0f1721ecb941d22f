"""Makes a prompt fit: into the model's context window, and into what is left of the run's own limit of prompt tokens.

What is left out are messages of the thread, the oldest first, until the rest fits. The newest message always stays, and
so do the instructions, the tools and what the run itself has said and called so far. Used by `work`; also counts the
tokens of a run whose model does not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import orjson
from run_engine.domain.objects import Message, Run, RunStep, Usage

from run_orchestrator.application.model_facts import Encoding, ModelFacts, ModelTable
from run_orchestrator.application.prompt import Prompt, Round, prompt_tokens_left
from run_orchestrator.application.reply import Reply
from run_orchestrator.application.tokens import OF_A_CALL, OF_A_MESSAGE, OF_THE_ANSWER, TokenCounter, Tokenizer

CHARACTERS_OF_A_TOKEN: Final = 10
"""More than a token has on average in any text that people or programs write: how much of a thread is worth reading."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt as it is sent, and what it counts for."""

    prompt: Prompt
    tokens: int
    """By our own count."""
    left_out: int
    """Messages that did not fit."""
    used_up: bool = False
    """Not even the newest message fits into what is left of the run's `max_prompt_tokens`."""


class Fitting:
    """Counts and cuts. `tokenizer` makes the tokenizer of an encoding, once each; `reserve` is kept free for an answer
    of a run that sets no limit to it, in tokens."""

    def __init__(self, models: ModelTable, tokenizer: Callable[[Encoding], Tokenizer], *, reserve: int) -> None:
        self._models = models
        self._tokenizer = tokenizer
        self._reserve = reserve
        self._counters: dict[Encoding, TokenCounter] = {}
        # Loading a table holds everything up: the one of nearly all models is loaded before the first run.
        self._counter("o200k_base")

    def most_characters(self, run: Run) -> int:
        """Characters of a thread that are worth reading for a prompt of this run."""
        return CHARACTERS_OF_A_TOKEN * min(
            self._models.of(run.model).window, run.max_prompt_tokens or self._models.of(run.model).window
        )

    async def fit(self, prompt: Prompt, run: Run, steps: Sequence[RunStep]) -> Fitted:
        """`prompt` with the newest of its messages that fit."""
        facts = self._models.of(prompt.model)
        counter = self._counter(facts.encoding)
        left = prompt_tokens_left(run, steps)
        room = window_room(facts, prompt, self._reserve)
        if left is not None:
            room = min(room, left)
        tokens = await self._around_the_messages(prompt, counter)
        kept: list[Message] = []
        for message in reversed(prompt.messages):
            counted = await counter.message(message, facts, enough=room - tokens)
            if kept and tokens + counted > room:
                break
            kept.append(message)
            tokens += counted
        kept.reverse()
        return Fitted(
            replace(prompt, messages=tuple(kept)),
            tokens,
            left_out=len(prompt.messages) - len(kept),
            used_up=left is not None and tokens > left,
        )

    async def usage(self, asked: Fitted, reply: Reply) -> Usage:
        """What a reply cost: as its server says, or counted here where it says nothing."""
        if reply.usage != Usage():
            return reply.usage
        counter = self._counter(self._models.of(asked.prompt.model).encoding)
        told = await counter.text(reply.text) + await counter.text(reply.refusal)
        for call in reply.calls:
            told += OF_A_CALL + await counter.text(call.name) + await counter.text(call.arguments)
        return Usage(prompt_tokens=asked.tokens, completion_tokens=told)

    async def _around_the_messages(self, prompt: Prompt, counter: TokenCounter) -> int:
        total = OF_THE_ANSWER + await counter.functions(prompt.functions)
        if prompt.instructions:
            total += OF_A_MESSAGE + await counter.text(prompt.instructions)
        if isinstance(prompt.response_format, dict) and "json_schema" in prompt.response_format:
            total += await counter.text(orjson.dumps(prompt.response_format["json_schema"]).decode())
        for round_ in prompt.rounds:
            total += await _round(round_, counter)
        return total

    def _counter(self, encoding: Encoding) -> TokenCounter:
        if encoding not in self._counters:
            self._counters[encoding] = TokenCounter(self._tokenizer(encoding))
        return self._counters[encoding]


def window_room(facts: ModelFacts, prompt: Prompt, reserve: int) -> int:
    """The tokens that a prompt may have, so that the answer has room too; never less than half of the window."""
    answer = prompt.max_completion_tokens if prompt.max_completion_tokens is not None else reserve
    return facts.window - min(answer, facts.window // 2)


async def _round(round_: Round, counter: TokenCounter) -> int:
    total = OF_A_MESSAGE + await counter.text(round_.said)
    for call in round_.calls:
        total += OF_A_CALL + await counter.text(call.name) + await counter.text(call.arguments)
        total += OF_A_MESSAGE + await counter.text(call.output or "")
    return total
