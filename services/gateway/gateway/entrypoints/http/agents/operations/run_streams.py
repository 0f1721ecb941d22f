"""Asking for an answer, and reading it while it is written: lines of JSON."""

from collections.abc import AsyncGenerator

import structlog
from run_engine.domain.call_requests import as_asked
from run_engine.domain.objects import Run as EngineRun
from run_engine.domain.streamable import can_be_streamed
from run_engine.errors import NotFound, ThreadBusy

from gateway.application.answering import Answering, Given, NoAnswer, UnderWay
from gateway.application.exchanges import Exchanges
from gateway.application.identities import NewIds
from gateway.application.streams.readings import Reading, Readings
from gateway.entrypoints.http.agents import presenters
from gateway.entrypoints.http.agents.ids import AgentIds
from gateway.entrypoints.http.agents.pieces import Pieces
from gateway.entrypoints.http.agents.refusals import NoStreaming, refusal_of
from gateway.entrypoints.http.agents.requests import Run, parse
from gateway.entrypoints.http.exchange import Call, StreamReply, StreamStart

log = structlog.get_logger(__name__)


class RunStreams:
    """The streamed run."""

    def __init__(
        self,
        *,
        answering: Answering,
        exchanges: Exchanges,
        readings: Readings,
        ids: AgentIds,
        new_ids: NewIds,
    ) -> None:
        self._answering = answering
        self._exchanges = exchanges
        self._readings = readings
        self._ids = ids
        self._new_ids = new_ids

    async def run(self, call: Call) -> StreamReply:
        """Stream the answer. An answer that is being written already is joined, and told from its beginning."""
        tenant_id = call.tenant_id
        thread_id = await self._ids.read(tenant_id, "thread", call.values["thread_id"])
        asked = await parse(call, Run)
        assistant_id = None
        if asked.assistant_id is not None:
            assistant_id = await self._ids.read(tenant_id, "assistant", asked.assistant_id)
        while True:
            following = await self._answering.next(tenant_id, thread_id, assistant_id)
            if isinstance(following, UnderWay | Given):
                assistant = await self._answering.facts_of(tenant_id, following.run.assistant_id)
                if assistant is not None and not can_be_streamed(assistant):
                    raise NoStreaming
                run, reading = await self._readings.join(tenant_id, thread_id, following.run.id)
                return self._reply(run, reading)
            if not can_be_streamed(following.assistant):
                raise NoStreaming
            draft = asked.draft(self._new_ids, following.assistant.id)
            try:
                run, reading = await self._readings.start(tenant_id, thread_id, draft, [])
            except ThreadBusy:
                # Somebody else has just asked: then it is the same answer.
                continue
            return self._reply(run, reading)

    async def join(self, call: Call, start: StreamStart) -> StreamReply:
        """Stream the run that an earlier request with the same key has begun, from its beginning."""
        run, reading = await self._readings.join(call.tenant_id, start.thread_id, start.run_id)
        return self._reply(run, reading)

    def _reply(self, run: EngineRun, reading: Reading) -> StreamReply:
        start = StreamStart(run.thread_id, run.id, "")
        return StreamReply(self._lines(run, reading), start, media_type=b"application/x-ndjson")

    async def _lines(self, run: EngineRun, reading: Reading) -> AsyncGenerator[bytes, None]:
        try:
            async for line in self._told(run, reading):
                yield line
        except Exception as error:  # noqa: BLE001 - the reply has begun: what went wrong is its last line
            if not isinstance(error, NoAnswer | NotFound):
                log.warning("a stream ends with an error", action="stream_ended_early", error=type(error).__name__)
            yield refusal_of(error).envelope() + b"\n"
        finally:
            reading.close()

    async def _told(self, run: EngineRun, reading: Reading) -> AsyncGenerator[bytes, None]:
        pieces = Pieces(run.seq)
        thread_id = (await self._ids.shown(run.tenant_id, [("thread", run.thread_id)])).id("thread", run.thread_id)
        while not reading.ended and pieces.ended is None:
            for piece in pieces.of(await reading.told()):
                ids = await self._ids.shown(run.tenant_id, [("message", piece.message_id)])
                message_id = ids.id("message", piece.message_id)
                yield presenters.line(piece.text, message_id, thread_id, piece.created_at)
        if pieces.ended is not None:
            yield await self._end(pieces.ended, thread_id)

    async def _end(self, run: EngineRun, thread_id: str) -> bytes:
        """The last line: the sources of the answer, or the calls that the client has to make."""
        if run.required_calls:
            said = await self._exchanges.asking(run)
            ids = await self._ids.shown(run.tenant_id, presenters.ids_of_said(said))
            calls = as_asked(run.required_calls)
            moment, message_id = said.message.created_at, ids.id(said.kind, said.message.id)
            return presenters.line("", message_id, thread_id, moment, tool_calls=calls)
        answer = await self._answering.answer(run)
        ids = await self._ids.shown(run.tenant_id, [("message", answer.message.id)])
        sources = [presenters.source(each) for each in answer.sources]
        message_id = ids.id("message", answer.message.id)
        return presenters.line("", message_id, thread_id, answer.message.created_at, sources=sources)
