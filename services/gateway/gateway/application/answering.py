"""Asks for the answer of a thread's assistant, as dialects do that name neither run nor assistant. Used by dialects.

One request asks, whatever stands behind it: a run that is under way is joined, so that a client whose request was cut
off gets the answer by repeating it, and no second run is started.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from run_engine.domain.drafts import PageRequest
from run_engine.domain.objects import Assistant, Message, Run
from run_engine.domain.sources import Source, sources_of
from run_engine.domain.status import RunStatus
from run_engine.domain.turns import Turn, check_next, check_turns
from run_engine.errors import NotFound, Unanswerable
from run_engine.store.overviews import ThreadOverview

from gateway.application.messages import Messages
from gateway.application.ports import AssistantStore, ThreadStore
from gateway.application.runs import Runs


class OverviewStore(Protocol):
    """Threads seen from above."""

    async def threads(self, tenant_id: str, thread_ids: Sequence[str]) -> Sequence[ThreadOverview]:
        """Read those of the threads that there are, in the given order."""
        ...

    async def turns(self, tenant_id: str, thread_id: str) -> tuple[Sequence[Turn], bool]:
        """Read the newest messages as turns, and whether they are all."""
        ...


class NoAssistant(Exception):
    """The thread has no assistant, and nothing has answered in it yet."""


class NoAnswer(Exception):
    """The run has ended, and there is no answer."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} is {run.status}")
        self.run = run


@dataclass(frozen=True, slots=True)
class Due:
    """An answer can be asked for: of this assistant."""

    assistant: Assistant


@dataclass(frozen=True, slots=True)
class UnderWay:
    """This run is writing it already."""

    run: Run


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run has answered, and what it rests on."""

    message: Message
    sources: Sequence[Source]


class Answering:
    """Finds out what a request for an answer means, and what came of it."""

    def __init__(
        self,
        threads: ThreadStore,
        runs: Runs,
        messages: Messages,
        assistants: AssistantStore,
        overviews: OverviewStore,
    ) -> None:
        self._threads = threads
        self._runs = runs
        self._messages = messages
        self._assistants = assistants
        self._overviews = overviews

    async def next(self, tenant_id: str, thread_id: str, assistant_id: str | None = None) -> Due | UnderWay:
        """Return how the next answer in a thread comes about.

        Without `assistant_id` the thread's own assistant answers, or the one that answered last. Raises `NotFound` for
        thread and assistant, `NoAssistant`, and `Unanswerable`, also while a run waits for outputs of its client.
        """
        thread = await self._threads.get(tenant_id, thread_id)
        if thread.active_run is not None:
            run = await self._runs.get(tenant_id, thread_id, thread.active_run)
            if run.status is RunStatus.REQUIRES_ACTION:
                raise Unanswerable("calls_not_answered", [call.id for call in run.required_calls])
            if not run.status.ended:
                return UnderWay(run)
        turns, whole = await self._overviews.turns(tenant_id, thread_id)
        check_turns(turns, whole=whole)
        found = assistant_id or thread.assistant_id or await self._last_assistant(tenant_id, thread_id)
        if found is None:
            raise NoAssistant
        return Due(await self._assistants.get(tenant_id, found))

    async def check_next(self, tenant_id: str, thread_id: str, turn: Turn) -> None:
        """Raise `Unanswerable` where a message may not follow in a thread."""
        turns, whole = await self._overviews.turns(tenant_id, thread_id)
        check_next(turns, turn, whole=whole)

    async def answer(self, run: Run) -> Answer:
        """Return what a run that has ended has answered. Raises `NoAnswer`, and `NotFound` if its thread is gone."""
        if run.status not in {RunStatus.COMPLETED, RunStatus.INCOMPLETE}:
            raise NoAnswer(run)
        page = await self._messages.list(run.tenant_id, run.thread_id, PageRequest(limit=1), run.id)
        if not page.items:
            raise NoAnswer(run)
        return Answer(page.items[0], await self.sources(run, page.items[0]))

    async def sources(self, run: Run, message: Message) -> Sequence[Source]:
        """Return the sources of a message that a run has written."""
        has_functions = any(tool.get("type") == "function" for tool in run.tools)
        return sources_of(message, await self._runs.tool_calls(run.tenant_id, run.id) if has_functions else ())

    async def _last_assistant(self, tenant_id: str, thread_id: str) -> str | None:
        page = await self._runs.list(tenant_id, thread_id, PageRequest(limit=1))
        return page.items[0].assistant_id if page.items else None

    async def facts_of(self, tenant_id: str, assistant_id: str | None) -> Assistant | None:
        """Return the assistant that has answered, unless it is gone."""
        if assistant_id is None:
            return None
        try:
            return await self._assistants.get(tenant_id, assistant_id)
        except NotFound:
            return None
