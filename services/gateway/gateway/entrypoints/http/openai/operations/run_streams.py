"""Streams of runs: begun with a run, with the answers to its calls, or joined at any place of it."""

from collections.abc import Callable, Sequence
from typing import Final

from run_engine.domain.drafts import NewMessage, NewRun, NewThread
from run_engine.domain.objects import Thread

from gateway.application.ports import ThreadStore
from gateway.application.streams.narration import BEFORE_FIRST
from gateway.application.streams.readings import Reading, Readings, UnknownPlace
from gateway.entrypoints.http.exchange import Call, StreamReply, StreamStart
from gateway.entrypoints.http.openai.operations.threads import thread_id_of
from gateway.entrypoints.http.openai.requests.paging import parameters
from gateway.entrypoints.http.openai.requests.path_ids import known_form
from gateway.entrypoints.http.openai.streaming.event_ids import event_id, place_of, unknown_place
from gateway.entrypoints.http.openai.streaming.event_stream import EventStream
from gateway.entrypoints.http.openai.streaming.event_writer import EventWriter

_WITH_THREAD: Final = ""
"""The place before `thread.created`, which stands before all events of the run."""


class RunStreams:
    """Handlers for `…/events`, and what the other operations on runs reply with where a stream is asked for.

    `writer` makes what writes the events of a run, from the run's id.
    """

    def __init__(
        self, readings: Readings, threads: ThreadStore, writer: Callable[[str], EventWriter] = EventWriter
    ) -> None:
        self._readings = readings
        self._threads = threads
        self._writer = writer

    async def start(self, tenant_id: str, thread_id: str, draft: NewRun, messages: Sequence[NewMessage]) -> StreamReply:
        """Start a run and stream it."""
        run, reading = await self._readings.start(tenant_id, thread_id, draft, messages)
        return self._reply(thread_id, run.id, reading, event_id(run.id, BEFORE_FIRST))

    async def start_on_new_thread(self, tenant_id: str, thread: NewThread, draft: NewRun) -> StreamReply:
        """Make a thread, start a run on it and stream both."""
        run, reading = await self._readings.start_on_new_thread(tenant_id, thread, draft)
        made = Thread(
            id=thread.id,
            created_at=run.created_at,
            metadata=thread.metadata,
            tool_resources=thread.tool_resources,
            active_run=run.id,
        )
        return self._reply(thread.id, run.id, reading, _WITH_THREAD, made)

    async def submit_outputs(
        self, tenant_id: str, thread_id: str, run_id: str, outputs: Sequence[tuple[str, str]]
    ) -> StreamReply:
        """Store the client's outputs and stream what follows."""
        run, reading, after = await self._readings.submit_outputs(tenant_id, thread_id, run_id, outputs)
        return self._reply(thread_id, run.id, reading, event_id(run.id, after))

    async def events(self, call: Call) -> StreamReply:
        """GET …/runs/{run_id}/events. Goes on after Last-Event-ID, and stays until the run has ended.

        Browsers cannot set the header at first, so the id may be a parameter.
        """
        thread_id, run_id = thread_id_of(call), known_form("run", call.values["run_id"])
        last = call.headers.get(b"last-event-id", b"").decode("latin-1").strip()
        last = last or (parameters(call.query).get("last_event_id", "") if call.query else "")
        after = place_of(run_id, last) if last else None
        try:
            run, reading = await self._readings.join(call.tenant_id, thread_id, run_id, after)
        except UnknownPlace:
            raise unknown_place(run_id, last) from None
        return self._reply(thread_id, run.id, reading, last)

    async def join(self, call: Call, start: StreamStart) -> StreamReply:
        """Stream from where another reply has begun, to where that one ends."""
        place = BEFORE_FIRST if start.after == _WITH_THREAD else place_of(start.run_id, start.after)
        thread = await self._threads.get(call.tenant_id, start.thread_id) if start.after == _WITH_THREAD else None
        run, reading = await self._readings.join(
            call.tenant_id, start.thread_id, start.run_id, place, through_actions=False
        )
        return self._reply(start.thread_id, run.id, reading, start.after, thread)

    def _reply(
        self, thread_id: str, run_id: str, reading: Reading, after: str, made: Thread | None = None
    ) -> StreamReply:
        writer = self._writer(run_id)
        first = b"" if made is None else writer.thread_created(made)
        return StreamReply(EventStream(reading, writer, first), StreamStart(thread_id, run_id, after))
