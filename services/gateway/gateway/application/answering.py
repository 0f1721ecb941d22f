"""Asks for the answer of a thread's assistant, as dialects do that name neither run nor assistant. Used by dialects.

One request asks, whatever stands behind it: a run that is under way is joined, so that a client whose request was cut
off gets the answer by repeating it, and no second run is started.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from run_engine.domain.drafts import PageRequest
from run_engine.domain.objects import Assistant, Message, Run
from run_engine.domain.sources import Source, sources_of
from run_engine.domain.status import RunStatus
from run_engine.domain.turns import Turn, check_turns
from run_engine.errors import NotFound, Unanswerable
from run_engine.store.overviews import ThreadOverview

from gateway.application.messages import Messages
from gateway.application.ports import AssistantStore, ThreadStore
from gateway.application.runs import Runs

_ANSWERED: Final = frozenset({RunStatus.COMPLETED, RunStatus.INCOMPLETE})


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
class Given:
    """This run has answered, or asks for calls again, while nobody waited: it went on with its client's outputs."""

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

    async def next(self, tenant_id: str, thread_id: str, assistant_id: str | None = None) -> Due | UnderWay | Given:
        """Return how the next answer in a thread comes about.

        Without `assistant_id` the thread's own assistant answers, or the one that answered last. Raises `NotFound` for
        thread and assistant, `NoAssistant`, and `Unanswerable`, also while a run waits for outputs of its client.
        """
        thread = await self._threads.get(tenant_id, thread_id)
        if thread.active_run is not None:
            run = await self._runs.get(tenant_id, thread_id, thread.active_run)
            if run.status is RunStatus.REQUIRES_ACTION:
                if await self._asks_once_more(run):
                    return Given(run)
                raise Unanswerable("calls_not_answered", [call.id for call in run.required_calls])
            if not run.status.ended:
                return UnderWay(run)
        turns, whole = await self._overviews.turns(tenant_id, thread_id)
        try:
            check_turns(turns, whole=whole)
        except Unanswerable as refused:
            last = await self._last_run(tenant_id, thread_id) if refused.reason == "nothing_to_answer" else None
            if last is None or not await self._has_last_word(last):
                raise
            if last.status in _ANSWERED:
                if await self._client_has_answered(last):
                    return Given(last)
                raise
            # What it said before it failed is no answer.
        found = assistant_id or thread.assistant_id
        if found is None:
            last = await self._last_run(tenant_id, thread_id)
            found = None if last is None else last.assistant_id
        if found is None:
            raise NoAssistant
        return Due(await self._assistants.get(tenant_id, found))

    async def answer(self, run: Run) -> Answer:
        """Return what a run that has ended has answered. Raises `NoAnswer`, and `NotFound` if its thread is gone."""
        if run.status not in _ANSWERED:
            raise NoAnswer(run)
        page = await self._messages.list(run.tenant_id, run.thread_id, PageRequest(limit=1), run.id)
        if not page.items:
            raise NoAnswer(run)
        return Answer(page.items[0], await self.sources(run, page.items[0]))

    async def sources(self, run: Run, message: Message) -> Sequence[Source]:
        """Return the sources of a message that a run has written."""
        has_functions = any(tool.get("type") == "function" for tool in run.tools)
        return sources_of(message, await self._runs.tool_calls(run.tenant_id, run.id) if has_functions else ())

    async def facts_of(self, tenant_id: str, assistant_id: str | None) -> Assistant | None:
        """Return the assistant that has answered, unless it is gone."""
        if assistant_id is None:
            return None
        try:
            return await self._assistants.get(tenant_id, assistant_id)
        except NotFound:
            return None

    async def _last_run(self, tenant_id: str, thread_id: str) -> Run | None:
        page = await self._runs.list(tenant_id, thread_id, PageRequest(limit=1))
        return page.items[0] if page.items else None

    async def _has_last_word(self, run: Run) -> bool:
        """Whether nobody has said anything since. An assistant's message may be the app's own."""
        page = await self._messages.list(run.tenant_id, run.thread_id, PageRequest(limit=1), None)
        return bool(page.items) and page.items[0].run_id == run.id

    async def _asks_once_more(self, run: Run) -> bool:
        """Whether a run waits for calls that it has asked for since its client has answered others."""
        calls = await self._runs.tool_calls(run.tenant_id, run.id)
        steps = (await self._runs.list_steps(run.tenant_id, run.thread_id, run.id, PageRequest(limit=1))).items
        asked_last = {call.id for step in steps for call in step.tool_calls}
        answered = {call.id for call in calls if call.service is None and call.output is not None}
        return bool(answered) and answered.isdisjoint(asked_last)

    async def _client_has_answered(self, run: Run) -> bool:
        calls = await self._runs.tool_calls(run.tenant_id, run.id)
        return any(call.service is None and call.output is not None for call in calls)
