"""Runs in PostgreSQL, as clients see them: start, read, cancel, answer."""

from collections.abc import Mapping, Sequence

from run_engine.domain.drafts import MOST_MESSAGES, NewMessage, NewRun, NewThread, Page, PageRequest
from run_engine.domain.metadata import merged
from run_engine.domain.moves import cancel
from run_engine.domain.objects import Metadata, Run, RunStep, ToolCall
from run_engine.domain.status import RunStatus
from run_engine.domain.tool_outputs import check_outputs, first_outputs
from run_engine.errors import NotFound, ThreadBusy
from run_engine.store import rows
from run_engine.store.assistants import require_assistant
from run_engine.store.database import Database, Row, Session
from run_engine.store.drafted import message_values, participants, run_values, senders
from run_engine.store.endings import end_locked_run
from run_engine.store.paging import fetch_page
from run_engine.store.thread_room import require_room
from run_engine.store.users import require_users
from run_engine.store.writer import Writer


class Runs:
    """What clients do with runs of a tenant."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def start(
        self,
        tenant_id: str,
        thread_id: str,
        draft: NewRun,
        messages: Sequence[NewMessage] = (),
        *,
        stream_slot: int | None = None,
    ) -> Run:
        """Starts a run on a thread, with additional messages, in one commit.

        `stream_slot` is the slot of the gateway that streams it. Raises `NotFound` for thread, assistant and senders,
        `ThreadBusy` and `ThreadFull`.
        """
        thread = NewThread(id=thread_id, messages=messages)
        return await self._start(tenant_id, thread, draft, stream_slot, new_thread=False)

    async def start_on_new_thread(
        self, tenant_id: str, thread: NewThread, draft: NewRun, *, stream_slot: int | None = None
    ) -> Run:
        """Makes a thread with its participants and messages and starts a run on it, in one commit.

        Raises `NotFound` for assistants, participants and senders.
        """
        return await self._start(tenant_id, thread, draft, stream_slot, new_thread=True)

    async def _start(
        self, tenant_id: str, thread: NewThread, draft: NewRun, stream_slot: int | None, *, new_thread: bool
    ) -> Run:
        participating, sending = participants(thread), senders(thread.messages)
        while True:
            row = await self._database.one(
                "start_run",
                owner=self._writer.owner,
                tenant_id=tenant_id,
                thread_id=thread.id,
                new_thread=new_thread,
                thread_metadata=thread.metadata,
                thread_tool_resources=thread.tool_resources,
                thread_title=thread.title,
                thread_assistant_id=thread.assistant_id,
                participants=participating,
                senders=sending,
                messages=message_values(thread.messages),
                most_messages=MOST_MESSAGES,
                stream_slot=stream_slot,
                **run_values(draft),
            )
            if row is not None:
                run = rows.run(row)
                self._writer.queued(run, row["outbox_ids"])
                return run
            why = await self._database.row(
                "why_not_started", tenant_id=tenant_id, thread_id=thread.id, assistant_id=draft.assistant_id
            )
            if not new_thread and not why["thread_exists"]:
                raise NotFound("thread", thread.id)
            if not why["assistant_exists"]:
                raise NotFound("assistant", draft.assistant_id)
            if thread.assistant_id is not None:
                await require_assistant(self._database, tenant_id, thread.assistant_id)
            await require_users(self._database, tenant_id, [*participating, *sending])
            if why["active_run"] is not None:
                raise ThreadBusy(thread.id, why["active_run"])
            if why["message_count"] + len(thread.messages) >= MOST_MESSAGES:
                await require_room(self._database, tenant_id, thread.id, len(thread.messages) + 1)
            # The other run ended between the two statements, or there was room after all, or what was missing has come.

    async def get(self, tenant_id: str, thread_id: str, run_id: str) -> Run:
        """Raises `NotFound`."""
        row = await self._database.one("get_run", tenant_id=tenant_id, thread_id=thread_id, run_id=run_id)
        return self._found(row, run_id)

    async def find(self, tenant_id: str, run_id: str) -> Run:
        """A run by its id alone. Raises `NotFound`."""
        return self._found(await self._database.one("find_run", tenant_id=tenant_id, run_id=run_id), run_id)

    async def modify(self, tenant_id: str, thread_id: str, run_id: str, metadata: Metadata | None) -> Run:
        """Changes the metadata as `domain.metadata` says. Raises `NotFound` and `TooMuchMetadata`."""
        async with self._database.transaction() as session:
            locked = await self._lock(session, tenant_id, thread_id, run_id)
            row = await session.one(
                "modify_run",
                tenant_id=tenant_id,
                thread_id=thread_id,
                run_id=run_id,
                metadata=merged(locked["metadata"], metadata),
            )
        return self._found(row, run_id)

    @staticmethod
    def _found(row: Row | None, run_id: str) -> Run:
        if row is None:
            raise NotFound("run", run_id)
        return rows.run(row, row["required_calls"])

    async def list(self, tenant_id: str, thread_id: str, request: PageRequest) -> Page[Run]:
        """One page. Raises `NotFound` for thread and cursor."""
        database = self._database
        page = await fetch_page(
            request,
            kind="run",
            place_of=lambda cursor: database.one("place_of_run", tenant_id=tenant_id, thread_id=thread_id, id=cursor),
            rows_between=lambda bounds: database.all("list_runs", tenant_id=tenant_id, thread_id=thread_id, **bounds),
            build=lambda row: rows.run(row, row["required_calls"]),
        )
        if not page.items and await database.one("get_thread", tenant_id=tenant_id, id=thread_id) is None:
            raise NotFound("thread", thread_id)
        return page

    async def get_step(self, tenant_id: str, thread_id: str, run_id: str, step_id: str) -> RunStep:
        """Raises `NotFound`."""
        row = await self._database.one("get_step", tenant_id=tenant_id, thread_id=thread_id, run_id=run_id, id=step_id)
        if row is None:
            raise NotFound("run step", step_id)
        return rows.step(row)

    async def list_steps(self, tenant_id: str, thread_id: str, run_id: str, request: PageRequest) -> Page[RunStep]:
        """One page. Raises `NotFound` for run and cursor."""
        database = self._database
        page = await fetch_page(
            request,
            kind="run step",
            place_of=lambda cursor: database.one(
                "place_of_step", tenant_id=tenant_id, thread_id=thread_id, run_id=run_id, id=cursor
            ),
            rows_between=lambda bounds: database.all(
                "list_steps", tenant_id=tenant_id, thread_id=thread_id, run_id=run_id, **bounds
            ),
            build=rows.step,
        )
        if not page.items:
            await self.get(tenant_id, thread_id, run_id)
        return page

    async def cancel(self, tenant_id: str, thread_id: str, run_id: str) -> Run:
        """Cancels at once what no worker holds; asks the worker otherwise. Raises `NotFound` and `IllegalMove`."""
        async with self._database.transaction() as session:
            locked = await self._lock(session, tenant_id, thread_id, run_id)
            moved = cancel(RunStatus(locked["status"]), driven=locked["driven"])
            if moved is RunStatus.CANCELLED:
                outbox_ids = await end_locked_run(session, self._writer.owner, locked, moved)
            else:
                marked = await session.row(
                    "mark_cancelling", owner=self._writer.owner, tenant_id=tenant_id, run_id=run_id
                )
                outbox_ids = marked["outbox_ids"]
            row = await session.one("get_run", tenant_id=tenant_id, thread_id=thread_id, run_id=run_id)
        self._writer.committed(outbox_ids)
        return self._found(row, run_id)

    async def submit_outputs(
        self,
        tenant_id: str,
        thread_id: str,
        run_id: str,
        outputs: Sequence[tuple[str, str]],
        *,
        stream_slot: int | None = None,
    ) -> Run:
        """Stores the client's outputs (call id, text), all of the open calls at once, and moves the run with them.

        `stream_slot` is the slot of a gateway that streams what follows. Raises `NotFound`, `OutputsNotAccepted` and
        `WrongOutputs`; then nothing is stored.
        """
        async with self._database.transaction() as session:
            locked = await self._lock(session, tenant_id, thread_id, run_id)
            open_calls = await session.all("open_client_calls", tenant_id=tenant_id, run_id=run_id)
            answers: Mapping[str, str] = check_outputs(
                RunStatus(locked["status"]), [row["id"] for row in open_calls], outputs
            )
            if stream_slot is not None:
                await session.all("add_stream_slot", tenant_id=tenant_id, run_id=run_id, slot=stream_slot)
            stored = await session.row(
                "answer_calls",
                owner=self._writer.owner,
                tenant_id=tenant_id,
                run_id=run_id,
                call_ids=list(answers),
                outputs=list(answers.values()),
                by_client=True,
            )
            row = await session.one("get_run", tenant_id=tenant_id, thread_id=thread_id, run_id=run_id)
        run = self._found(row, run_id)
        self._answered(run, stored["outbox_ids"])
        return run

    async def answer(self, tenant_id: str, thread_id: str, run_id: str, outputs: Sequence[tuple[str, str]]) -> Run:
        """Stores outputs (call id, text) of some calls, of the client's and of services' alike; the first counts.

        Those of calls that are answered already change nothing. Raises `NotFound`, `WrongOutputs` for calls that the
        run never had, and `OutputsNotAccepted` for unanswered ones of a run that has ended; then nothing is stored.
        """
        async with self._database.transaction() as session:
            locked = await self._lock(session, tenant_id, thread_id, run_id)
            calls = await session.all("calls_of_run", tenant_id=tenant_id, run_id=run_id)
            answers = first_outputs(
                RunStatus(locked["status"]), {call["id"]: call["is_open"] for call in calls}, outputs
            )
            stored = None
            if answers:
                stored = await session.row(
                    "answer_calls",
                    owner=self._writer.owner,
                    tenant_id=tenant_id,
                    run_id=run_id,
                    call_ids=list(answers),
                    outputs=list(answers.values()),
                    by_client=None,
                )
            row = await session.one("get_run", tenant_id=tenant_id, thread_id=thread_id, run_id=run_id)
        run = self._found(row, run_id)
        if stored is not None:
            self._answered(run, stored["outbox_ids"])
        return run

    async def open_calls(self, tenant_id: str, thread_id: str, run_id: str) -> tuple[ToolCall, ...]:
        """The calls that a run waits for, of its client and of services, in the model's order. Raises `NotFound`."""
        found = await self._database.all("open_calls", tenant_id=tenant_id, thread_id=thread_id, run_id=run_id)
        if not found:
            await self.get(tenant_id, thread_id, run_id)
        return tuple(rows.tool_call(row) for row in found)

    async def tool_calls(self, tenant_id: str, run_id: str) -> tuple[ToolCall, ...]:
        """All calls of a run with their outputs, in the order of its steps. Raises `NotFound`."""
        found = await self._database.all("calls_of_run", tenant_id=tenant_id, run_id=run_id)
        if not found:
            await self.find(tenant_id, run_id)
        return tuple(rows.tool_call(row) for row in found)

    async def find_call(self, tenant_id: str, call_id: str) -> tuple[Run, ToolCall]:
        """A call by its id alone, with its run; the newest where imported runs have several. Raises `NotFound`."""
        row = await self._database.one("find_call", tenant_id=tenant_id, call_id=call_id)
        if row is None:
            raise NotFound("tool call", call_id)
        return await self.find(tenant_id, row["run_id"]), rows.tool_call(row)

    def _answered(self, run: Run, outbox_ids: Sequence[int] | None) -> None:
        if run.status is RunStatus.QUEUED:
            self._writer.queued(run, outbox_ids)
        else:
            self._writer.committed(outbox_ids)

    @staticmethod
    async def _lock(session: Session, tenant_id: str, thread_id: str, run_id: str) -> Row:
        row = await session.one("lock_run", tenant_id=tenant_id, run_id=run_id)
        if row is None or row["thread_id"] != thread_id:
            raise NotFound("run", run_id)
        return row
