"""From a claimed run to its ending: read the prompt, ask the model until it answers, decide. Writes nothing.

Called by `drive`, which may stop it at any point.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

import structlog
from observability.tracing import span
from run_engine.domain.drafts import NewToolCall
from run_engine.domain.objects import Run, RunStep, Usage
from run_engine.store.driving import Said

from run_orchestrator.application.driven_runs import DrivenRun
from run_orchestrator.application.ending import (
    CutShort,
    Ending,
    Finished,
    Parked,
    content_of,
    cut_short_by,
    wanted_calls,
)
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.fitting import Fitted, Fitting
from run_orchestrator.application.patience import Patience
from run_orchestrator.application.ports import Model, RunStore
from run_orchestrator.application.prompt import Prompt, build_prompt, most_messages, shortened, used_up
from run_orchestrator.application.reply import Reply, ReplyBuilder
from run_orchestrator.application.retries import RetryPolicy, end_of
from run_orchestrator.application.telling import Telling
from run_orchestrator.application.tool_registry import ToolRegistry

log = structlog.get_logger(__name__)

CLOCK_DIFFERENCE: Final = 5.0
"""Seconds by which this machine's clock may be ahead of the database's, which decides when a run expires."""
_TELLS_OF_SERVERS: Final = frozenset(FailureKind) - {FailureKind.INVALID_PROMPT, FailureKind.CONTEXT_OVERFLOW}
"""Kinds whose details are our own sentences; those of the others may quote the prompt, which is not for the log."""
_SEQ_OF_THE_FIRST_CLAIM: Final = 2
UNLIMITED: Final = 365.0 * 24 * 3600
"""The life of a run that does not expire, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much of a thread a prompt takes at the most, when the run sets no limit itself."""

    messages: int
    characters: int


class Work:
    """The part of driving that may be stopped. `clock` gives Unix seconds, `jitter` a random number in [0, 1)."""

    def __init__(
        self,
        store: RunStore,
        model: Model,
        tools: ToolRegistry,
        *,
        policy: RetryPolicy,
        bounds: Bounds,
        fitting: Fitting,
        clock: Callable[[], float],
        pause: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
        new_id: Callable[[str], str],
    ) -> None:
        self._store = store
        self._model = model
        self._tools = tools
        self._policy = policy
        self._bounds = bounds
        self._fitting = fitting
        self._clock = clock
        self._pause = pause
        self._jitter = jitter
        self._new_id = new_id
        self._patience = Patience(pause)

    async def ending_of(self, driven: DrivenRun) -> Ending:
        """The ending of a claimed run, told to those who stream it. Raises `Fenced`.

        Does not return once the run has expired: its sweeper says so.
        """
        run = driven.run
        try:
            async with asyncio.timeout(self._remaining(run) + CLOCK_DIFFERENCE) as life:
                return await self._ending_of(driven)
        except TimeoutError:
            if not life.expired():
                raise
        log.info("a run has outlived its time and is left to the sweeper", action="run_overdue", run_id=run.id)
        never: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        return await never

    async def _ending_of(self, driven: DrivenRun) -> Ending:
        run = driven.run
        steps = await self._steps(run)
        limit = used_up(run, steps)
        if limit is not None:
            return CutShort(limit, Usage())
        asked = await self._prompt(run, steps)
        failures, was_shortened = 0, False
        while True:
            if asked.used_up:
                return CutShort("max_prompt_tokens", Usage())
            telling = self._telling(driven)
            try:
                return await self._decide(run, asked.prompt, await self._ask(asked, telling), telling)
            except ModelFailure as failure:
                _heed_cancellation()
                if failure.kind is FailureKind.CONTEXT_OVERFLOW and not was_shortened:
                    shorter = shortened(asked.prompt)
                    if shorter is not None:
                        await telling.abandon()
                        log.info("a prompt was too long and is shortened", action="prompt_shortened", run_id=run.id)
                        asked, was_shortened = await self._fitting.fit(shorter, run, steps), True
                        continue
                failures += 1
                wait = self._policy.pause_after(failure, failures, self._remaining(run), self._jitter())
                log.warning(
                    "the model failed",
                    action="model_failed",
                    run_id=run.id,
                    kind=failure.kind.value,
                    detail=failure.detail if failure.kind in _TELLS_OF_SERVERS else None,
                    failures=failures,
                    retry_in=wait,
                )
                if wait is None:
                    return end_of(failure)
                await telling.abandon()
                if telling.message_done:
                    # The model need not say again what it has said. That is in the thread now.
                    run = replace(run, newest_messages=None)
                    steps = await self._all_steps(run)
                    asked = await self._prompt(run, steps)
                await self._pause(wait)

    async def _prompt(self, run: Run, steps: Sequence[RunStep]) -> Fitted:
        history = await self._patience.read(
            lambda: self._store.history(
                run,
                messages=most_messages(run, self._bounds.messages, steps),
                characters=min(self._bounds.characters, self._fitting.most_characters(run)),
            )
        )
        fitted = await self._fitting.fit(build_prompt(run, history, steps), run, steps)
        if fitted.left_out:
            log.info("a prompt was cut to fit", action="prompt_cut", run_id=run.id, messages=fitted.left_out)
        return fitted

    def _telling(self, driven: DrivenRun) -> Telling:
        telling = Telling(
            driven.run, self._store, driven.log, wake=driven.wake, patience=self._patience, new_id=self._new_id
        )
        driven.said, driven.untold = telling.said, telling.untold
        return telling

    async def _steps(self, run: Run) -> list[RunStep]:
        # Queued and claimed, and nothing else yet: there are no steps, and most runs need one statement less.
        if run.seq <= _SEQ_OF_THE_FIRST_CLAIM:
            return []
        return await self._all_steps(run)

    async def _all_steps(self, run: Run) -> list[RunStep]:
        return list(await self._patience.read(lambda: self._store.steps(run)))

    async def _ask(self, asked: Fitted, telling: Telling) -> Reply:
        prompt = asked.prompt
        builder = ReplyBuilder(lambda: self._new_id("tool_call"))
        with span("ask the model", "client", {"gen_ai.request.model": prompt.model}) as this:
            async with aclosing(self._model.stream(prompt)) as arrivals:
                async for pieces in arrivals:
                    for piece in pieces:
                        builder.add(piece)
                    await telling.tell(builder, prompt.function_names)
            reply = builder.end()
            await telling.tell(builder, prompt.function_names)
            usage = await self._fitting.usage(asked, reply)
            this.says("gen_ai.usage.input_tokens", usage.prompt_tokens)
            this.says("gen_ai.usage.output_tokens", usage.completion_tokens)
        return replace(reply, usage=usage)

    async def _decide(self, run: Run, prompt: Prompt, reply: Reply, telling: Telling) -> Ending:
        cut_short = cut_short_by(reply)
        if cut_short is not None:
            # Its calls are not made.
            await telling.abandon_calls()
            if telling.message_done:
                return CutShort(cut_short, reply.usage)
        calls = () if cut_short is not None else wanted_calls(reply, prompt.function_names)
        if not calls:
            return Finished(
                step_id=telling.message_step_id,
                message_id=telling.message_id,
                content=content_of(reply.text, reply.refusal),
                usage=reply.usage,
                incomplete_reason=cut_short,
            )
        allowed = await self._patience.read(lambda: self._store.allowed_services(run.tenant_id))
        drafts = []
        for call in calls:
            tool = self._tools.find(call.name, allowed)
            drafts.append(
                NewToolCall(
                    id=call.id,
                    name=call.name,
                    # Clients and tools parse it: no arguments at all are an empty object.
                    arguments=call.arguments or "{}",
                    service=tool.service if tool is not None else None,
                    timeout=tool.timeout if tool is not None else None,
                )
            )
        said = None
        # A message comes before the calls, or not at all.
        if (reply.text + reply.refusal).strip() and not telling.message_done and not telling.calls_open:
            content = content_of(reply.text, reply.refusal)
            said = Said(step_id=telling.message_step_id, message_id=telling.message_id, content=content)
        return Parked(step_id=telling.calls_step_id, calls=tuple(drafts), usage=reply.usage, said=said)

    def _remaining(self, run: Run) -> float:
        if run.expires_at is None:
            return UNLIMITED
        return run.expires_at.timestamp() - self._clock()


def _heed_cancellation() -> None:
    """Closing a stream can fail, and then its error hides the cancellation that closed it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
