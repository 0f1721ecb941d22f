"""Answers that are waited for, or read as they are written: send_and_wait, send_and_stream, stream."""

from hashlib import sha256
from typing import Final

import orjson
from run_engine.domain.drafts import PageRequest
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus

from gateway.application.messages import Messages
from gateway.application.streams.readings import Readings
from gateway.application.streams.texts import AnswerFailed
from gateway.application.waiting import Waiting
from gateway.entrypoints.http.endpoint import MethodNotAllowed
from gateway.entrypoints.http.exchange import Call, Reply, StreamReply, StreamStart
from gateway.entrypoints.http.owlie.presenters import message, ok
from gateway.entrypoints.http.owlie.questions import Asked, Questions
from gateway.entrypoints.http.owlie.refusals import Refusal
from gateway.entrypoints.http.owlie.requests import Question, StreamQuery, parse, query
from gateway.entrypoints.http.owlie.text_stream import TextStream
from gateway.entrypoints.http.presence import while_present

_WHOLE: Final = "all"
"""Where a stream begins that is joined: at its beginning. A text has no places."""


class AnswerOperations:
    """Handlers for `/api/threads/{thread_id}/send_and_wait`, `…/send_and_stream` and `…/stream`.

    `limit` is how many seconds a request may wait.
    """

    def __init__(
        self,
        messages: Messages,
        waiting: Waiting,
        readings: Readings,
        questions: Questions,
        *,
        limit: float,
    ) -> None:
        self._messages = messages
        self._waiting = waiting
        self._readings = readings
        self._questions = questions
        self._limit = limit

    async def send_and_wait(self, call: Call) -> Reply:
        """POST …/send_and_wait: the answer itself. Keys itself, since nothing may be waited for before the commit."""
        body = await parse(call, Question)
        asked = await self._asked(call, body)
        if call.once is None:
            waiting = self._waiting.start(call.tenant_id, asked.thread_id, asked.run, asked.messages, limit=self._limit)
        else:

            async def start() -> Reply:
                made = await self._waiting.begin(call.tenant_id, asked.thread_id, asked.run, asked.messages)
                return ok({"run_id": made.id})

            kept = await call.once(sha256(body.model_dump_json().encode()).digest(), start)
            run_id = orjson.loads(kept.body)["run_id"]
            waiting = self._waiting.for_end(call.tenant_id, asked.thread_id, run_id, self._limit)
        return ok(await self._answer(await while_present(call, waiting)))

    async def send_and_stream(self, call: Call) -> StreamReply:
        """POST …/send_and_stream: the text of the answer as it is written."""
        return await self._stream(call, await self._asked(call, await parse(call, Question)))

    async def stream(self, call: Call) -> StreamReply:
        """GET …/stream, which asks, too: what it asks is in its query."""
        asked = query(call, StreamQuery)
        drafts = await self._questions.asked(
            call.tenant_id, call.values["thread_id"], asked.assistant_id, asked.message
        )
        return await self._stream(call, drafts)

    async def refuse_head(self, call: Call) -> Reply:
        """HEAD …/stream would ask without reading the answer."""
        raise MethodNotAllowed(("GET",))

    async def join(self, call: Call, start: StreamStart) -> StreamReply:
        """Stream an answer from its beginning to a repetition of its request."""
        _, reading = await self._readings.join(call.tenant_id, start.thread_id, start.run_id)
        return StreamReply(TextStream(reading), start)

    async def _asked(self, call: Call, body: Question) -> Asked:
        return await self._questions.asked(call.tenant_id, call.values["thread_id"], body.assistant_id, body.content)

    async def _stream(self, call: Call, asked: Asked) -> StreamReply:
        run, reading = await self._readings.start(
            call.tenant_id, asked.thread_id, asked.run, asked.messages, through_actions=True
        )
        return StreamReply(TextStream(reading), StreamStart(asked.thread_id, run.id, _WHOLE))

    async def _answer(self, run: Run) -> dict[str, object]:
        if run.status is RunStatus.REQUIRES_ACTION:
            raise Refusal(409, f"Run {run.id} waits for outputs of its tool calls.")
        if run.status in {RunStatus.COMPLETED, RunStatus.INCOMPLETE}:
            page = await self._messages.list(run.tenant_id, run.thread_id, PageRequest(limit=1), run.id)
            if page.items:
                return message(page.items[0])
        raise AnswerFailed(run)
