"""From a claimed run to its ending: read the prompt, ask the model until it answers, decide. Writes nothing.

Called by `drive`, which may stop it at any point.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog
from run_engine.domain.drafts import NewToolCall
from run_engine.domain.objects import Run, RunStep, Usage

from run_orchestrator.application.ending import (
    Ending,
    Finished,
    IncompleteReason,
    Parked,
    content_of,
    cut_short_by,
    wanted_calls,
)
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.patience import Patience
from run_orchestrator.application.ports import Model, RunStore
from run_orchestrator.application.prompt import Prompt, build_prompt, most_messages, shortened, used_up
from run_orchestrator.application.reply import Reply, ReplyBuilder
from run_orchestrator.application.retries import RetryPolicy, end_of
from run_orchestrator.application.tool_registry import ToolRegistry

log = structlog.get_logger(__name__)

CLOCK_DIFFERENCE: Final = 5.0
"""Seconds by which this machine's clock may be ahead of the database's, which decides when a run expires."""
_TELLS_OF_SERVERS: Final = frozenset(FailureKind) - {FailureKind.INVALID_PROMPT, FailureKind.CONTEXT_OVERFLOW}
"""Kinds whose details are our own sentences; those of the others may quote the prompt, which is not for the log."""
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
        self._clock = clock
        self._pause = pause
        self._jitter = jitter
        self._new_id = new_id
        self._patience = Patience(pause)

    async def ending_of(self, run: Run) -> Ending:
        """The ending of a claimed run. Does not return once the run has expired: its sweeper says so."""
        try:
            async with asyncio.timeout(self._remaining(run) + CLOCK_DIFFERENCE) as life:
                return await self._ending_of(run)
        except TimeoutError:
            if not life.expired():
                raise
        log.info("a run has outlived its time and is left to the sweeper", action="run_overdue", run_id=run.id)
        never: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        return await never

    async def _ending_of(self, run: Run) -> Ending:
        steps = await self._steps(run)
        limit = used_up(run, steps)
        if limit is not None:
            return self._finished(Reply("", "", (), None, Usage()), limit)
        history = await self._patience.read(
            lambda: self._store.history(
                run, messages=most_messages(run, self._bounds.messages), characters=self._bounds.characters
            )
        )
        prompt = build_prompt(run, history, steps)
        failures, was_shortened = 0, False
        while True:
            try:
                return await self._decide(run, prompt, await self._ask(prompt))
            except ModelFailure as failure:
                _heed_cancellation()
                if failure.kind is FailureKind.CONTEXT_OVERFLOW and not was_shortened:
                    shorter = shortened(prompt)
                    if shorter is not None:
                        log.info("a prompt was too long and is shortened", action="prompt_shortened", run_id=run.id)
                        prompt, was_shortened = shorter, True
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
                await self._pause(wait)

    async def _steps(self, run: Run) -> list[RunStep]:
        # Only a claimed run takes steps, so the first claim finds none: one statement less for most runs.
        if run.attempt == 1:
            return []
        return list(await self._patience.read(lambda: self._store.steps(run)))

    async def _ask(self, prompt: Prompt) -> Reply:
        reply = ReplyBuilder(lambda: self._new_id("tool_call"))
        async with aclosing(self._model.stream(prompt)) as arrivals:
            async for pieces in arrivals:
                for piece in pieces:
                    reply.add(piece)
        return reply.reply()

    async def _decide(self, run: Run, prompt: Prompt, reply: Reply) -> Ending:
        cut_short = cut_short_by(reply)
        if cut_short is not None:
            return self._finished(reply, cut_short)
        calls = wanted_calls(reply, prompt.function_names)
        if not calls:
            return self._finished(reply)
        if reply.text:
            # A parked run has no message, so what a model says before it calls is not kept.
            log.debug("text beside tool calls is dropped", action="text_dropped", run_id=run.id)
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
        return Parked(step_id=self._new_id("step"), calls=tuple(drafts), usage=reply.usage)

    def _finished(self, reply: Reply, incomplete_reason: IncompleteReason | None = None) -> Finished:
        return Finished(
            step_id=self._new_id("step"),
            message_id=self._new_id("message"),
            content=content_of(reply),
            usage=reply.usage,
            incomplete_reason=incomplete_reason,
        )

    def _remaining(self, run: Run) -> float:
        if run.expires_at is None:
            return UNLIMITED
        return run.expires_at.timestamp() - self._clock()


def _heed_cancellation() -> None:
    """Closing a stream can fail, and then its error hides the cancellation that closed it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
