"""The store of the run engine as the application's `RunStore`."""

from collections.abc import Sequence
from typing import Final

from run_engine.domain.objects import Json, Message, Run, RunStep, Usage
from run_engine.store.driving import Answer, Driving, Said
from run_engine.store.messages import Messages
from run_engine.store.streams import StoredEvent
from run_engine.store.tenants import Tenants

from run_orchestrator.adapters.metrics import OrchestratorMeter
from run_orchestrator.application.ending import CutShort, Failed, Finished, Parked
from run_orchestrator.application.prompt import weight

PAGE: Final = 50
"""Messages that one statement reads: enough for most threads, and few enough to hold for 200 runs at once."""


class EngineRunStore:
    """`RunStore` on PostgreSQL."""

    def __init__(self, driving: Driving, messages: Messages, tenants: Tenants, meter: OrchestratorMeter) -> None:
        self._driving = driving
        self._messages = messages
        self._tenants = tenants
        self._meter = meter

    async def claim(self, tenant_id: str, run_id: str) -> Run | None:
        """Takes a queued run; None when there is nothing to take."""
        run = await self._driving.claim(tenant_id, run_id, messages=PAGE)
        if run is not None and run.queued_seconds is not None:
            self._meter.claimed(run.queued_seconds)
        return run

    async def queued(self, limit: int) -> Sequence[tuple[str, str]]:
        """(tenant id, run id) of the runs that have waited longest."""
        return await self._driving.queued(limit)

    async def history(self, run: Run, *, messages: int, characters: int) -> Sequence[Message]:
        """The newest messages of the run's thread, newest first, read page by page until either bound is reached.

        The first page is what the run has come with, if it has.
        """
        found: list[Message] = []
        room, first = characters, min(messages, PAGE)
        page: Sequence[Message]
        if run.newest_messages is None:
            page = await self._messages.latest(run.tenant_id, run.thread_id, first)
        else:
            page = run.newest_messages[:first]
        while page:
            for message in page:
                room -= weight(message)
                if room < 0 and found:
                    return found
                found.append(message)
            if len(page) < PAGE or len(found) >= messages:
                break
            page = await self._messages.latest(
                run.tenant_id, run.thread_id, min(messages - len(found), PAGE), before=found[-1].id
            )
        return found

    async def steps(self, run: Run) -> Sequence[RunStep]:
        """All steps of the run, oldest first."""
        return await self._driving.steps(run)

    async def allowed_services(self, tenant_id: str) -> frozenset[str]:
        """The tool services that a tenant's runs may use."""
        tenant = await self._tenants.get(tenant_id)
        return tenant.tool_services if tenant is not None else frozenset()

    async def open_step(self, run: Run, step_id: str, message_id: str | None) -> StoredEvent | None:
        """Begins a step in the open, one that writes the message or calls tools if None; its event if it is new."""
        return await self._driving.open_step(run, step_id, message_id)

    async def say(self, run: Run, said: Said) -> None:
        """Stores a message that does not end the run."""
        await self._driving.say(run, said)

    async def abandon_step(self, run: Run, reason: str) -> None:
        """Fails the step that was begun in the open, if there is one."""
        await self._driving.abandon_step(run, reason)

    async def finish(self, run: Run, ending: Finished) -> None:
        """Ends the run with its message."""
        answer = Answer(
            step_id=ending.step_id,
            message_id=ending.message_id,
            content=ending.content,
            usage=ending.usage,
            incomplete_reason=ending.incomplete_reason,
        )
        await self._driving.finish(run, answer)
        self._count(ending.usage)

    async def park(self, run: Run, ending: Parked) -> None:
        """Parks the run for its calls, and asks the services."""
        await self._driving.park(run, ending.step_id, ending.calls, ending.usage, ending.said)
        self._count(ending.usage)

    async def cut_short(self, run: Run, ending: CutShort) -> None:
        """Ends the run as incomplete, without a message."""
        await self._driving.cut_short(run, ending.reason, ending.usage)
        self._count(ending.usage)

    async def fail(self, run: Run, ending: Failed, said: list[Json] | None) -> None:
        """Ends the run with an error; `said` is the content of its open message so far."""
        await self._driving.fail(run, ending.code, ending.message, said)

    async def obey_cancel(self, run: Run, said: list[Json] | None, untold: Said | None) -> None:
        """Ends a run in cancelling; changes nothing in another status. `said` as in `fail`.

        `untold` is what was written while nobody listened, to be kept as an incomplete message.
        """
        await self._driving.obey_cancel(run, said, untold)

    async def hand_back(self, run: Run, said: list[Json] | None) -> None:
        """Queues the run again for others, or ends it where it was to be cancelled. `said` as in `fail`."""
        await self._driving.hand_back(run.tenant_id, run.id, run.attempt, said)

    def _count(self, usage: Usage) -> None:
        self._meter.tokens(usage.prompt_tokens, usage.completion_tokens)
