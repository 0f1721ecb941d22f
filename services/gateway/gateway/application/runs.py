"""Runs and steps as clients see them: of thread, run and step, the outermost that is missing is named.

The statements of the engine ask for all of it at once, so only a miss costs another look. What starts a run, or goes on
with it, takes along the credentials that came with its request.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from run_engine.domain.drafts import NewMessage, NewRun, NewThread, Page, PageRequest
from run_engine.domain.objects import Metadata, Run, RunStep, ToolCall
from run_engine.errors import NotFound

from gateway.application.credentials import Credentials
from gateway.application.ports import RunStore, ThreadStore

Found = TypeVar("Found")


class Runs:
    """Start, read, cancel and answer runs. Raises what `RunStore` raises, and `Credentials.along`."""

    def __init__(self, runs: RunStore, threads: ThreadStore, credentials: Credentials | None = None) -> None:
        self._runs = runs
        self._credentials = credentials
        self._threads = threads

    async def start(
        self,
        tenant_id: str,
        thread_id: str,
        draft: NewRun,
        messages: Sequence[NewMessage],
        *,
        stream_slot: int | None = None,
    ) -> Run:
        """Start a run on a thread, with additional messages."""
        return await self._along(
            tenant_id,
            thread_id,
            lambda: self._runs.start(tenant_id, thread_id, draft, messages, stream_slot=stream_slot),
        )

    async def start_on_new_thread(
        self, tenant_id: str, thread: NewThread, draft: NewRun, *, stream_slot: int | None = None
    ) -> Run:
        """Make a thread and start a run on it."""
        return await self._along(
            tenant_id,
            thread.id,
            lambda: self._runs.start_on_new_thread(tenant_id, thread, draft, stream_slot=stream_slot),
        )

    async def get(self, tenant_id: str, thread_id: str, run_id: str) -> Run:
        """Read one."""
        return await self._or_thread(tenant_id, thread_id, self._runs.get(tenant_id, thread_id, run_id))

    async def modify(self, tenant_id: str, thread_id: str, run_id: str, metadata: Metadata | None) -> Run:
        """Change the metadata."""
        return await self._or_thread(tenant_id, thread_id, self._runs.modify(tenant_id, thread_id, run_id, metadata))

    async def list(self, tenant_id: str, thread_id: str, request: PageRequest) -> Page[Run]:
        """Read one page."""
        return await self._or_thread(tenant_id, thread_id, self._runs.list(tenant_id, thread_id, request))

    async def cancel(self, tenant_id: str, thread_id: str, run_id: str) -> Run:
        """Cancel a run."""
        return await self._or_thread(tenant_id, thread_id, self._runs.cancel(tenant_id, thread_id, run_id))

    async def submit_outputs(
        self,
        tenant_id: str,
        thread_id: str,
        run_id: str,
        outputs: Sequence[tuple[str, str]],
        *,
        stream_slot: int | None = None,
    ) -> Run:
        """Store the client's outputs, all of them."""
        return await self._or_thread(
            tenant_id,
            thread_id,
            self._along(
                tenant_id,
                thread_id,
                lambda: self._runs.submit_outputs(tenant_id, thread_id, run_id, outputs, stream_slot=stream_slot),
            ),
        )

    async def answer(self, tenant_id: str, thread_id: str, run_id: str, outputs: Sequence[tuple[str, str]]) -> Run:
        """Store outputs of some calls, the client's and those of services alike; the first counts."""
        return await self._or_thread(tenant_id, thread_id, self._runs.answer(tenant_id, thread_id, run_id, outputs))

    async def find(self, tenant_id: str, run_id: str) -> Run:
        """Read a run by its id alone."""
        return await self._runs.find(tenant_id, run_id)

    async def open_calls(self, tenant_id: str, thread_id: str, run_id: str) -> tuple[ToolCall, ...]:
        """Read the calls that a run waits for, the client's and those of services."""
        return await self._or_thread(tenant_id, thread_id, self._runs.open_calls(tenant_id, thread_id, run_id))

    async def tool_calls(self, tenant_id: str, run_id: str) -> tuple[ToolCall, ...]:
        """Read all calls of a run, with their outputs."""
        return await self._runs.tool_calls(tenant_id, run_id)

    async def find_call(self, tenant_id: str, call_id: str) -> tuple[Run, ToolCall]:
        """Read a call by its id alone, with its run."""
        return await self._runs.find_call(tenant_id, call_id)

    async def get_step(self, tenant_id: str, thread_id: str, run_id: str, step_id: str) -> RunStep:
        """Read one step."""
        return await self._or_run(
            tenant_id, thread_id, run_id, self._runs.get_step(tenant_id, thread_id, run_id, step_id)
        )

    async def list_steps(self, tenant_id: str, thread_id: str, run_id: str, request: PageRequest) -> Page[RunStep]:
        """Read one page of steps."""
        return await self._or_run(
            tenant_id, thread_id, run_id, self._runs.list_steps(tenant_id, thread_id, run_id, request)
        )

    async def _along(self, tenant_id: str, thread_id: str, effect: Callable[[], Awaitable[Run]]) -> Run:
        if self._credentials is None:
            return await effect()
        return await self._credentials.along(tenant_id, thread_id, effect)

    async def _or_thread(self, tenant_id: str, thread_id: str, wanted: Awaitable[Found]) -> Found:
        try:
            return await wanted
        except NotFound:
            await self._threads.get(tenant_id, thread_id)
            raise

    async def _or_run(self, tenant_id: str, thread_id: str, run_id: str, wanted: Awaitable[Found]) -> Found:
        try:
            return await wanted
        except NotFound:
            await self.get(tenant_id, thread_id, run_id)
            raise
