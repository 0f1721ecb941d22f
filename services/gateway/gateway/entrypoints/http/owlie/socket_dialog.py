"""What is said on the websocket of this dialect: questions as JSON come in, the text of the answers goes out.

After the last piece of an answer comes `˘DONE˘`. Where it fails, a piece that says so comes before that. A message that
is no question is answered with one frame, `Error: Invalid payload - …`.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.types import Scope

from gateway.application.streams.readings import Readings
from gateway.application.streams.texts import texts
from gateway.entrypoints.http.endpoint import Admission
from gateway.entrypoints.http.exchange import Headers
from gateway.entrypoints.http.owlie.questions import Questions
from gateway.entrypoints.http.owlie.refusals import Refusal
from gateway.entrypoints.http.owlie.requests import SocketQuestion, read
from gateway.entrypoints.http.owlie.text_stream import sentence_of
from gateway.entrypoints.http.tool_credentials import credentials_of

DONE: Final = "˘DONE˘"
"""No text of an answer is this, and front ends wait for it."""


class OwlieDialog:
    """Handler of `/ws`. Each message counts as a request of its address.

    It takes along the credentials that came when the connection was opened.
    """

    def __init__(self, readings: Readings, questions: Questions, tenant_id: str, admission: Admission | None) -> None:
        self._readings = readings
        self._questions = questions
        self._tenant_id = tenant_id
        self._admission = admission

    async def answer(self, scope: Scope, message: str | bytes) -> AsyncGenerator[str, None]:
        """Give the frames that answer a message."""
        try:
            # Before it is read: reading what is no question costs as much.
            if self._admission is not None:
                self._admission.admit(scope)
            try:
                asked = read(message, SocketQuestion)
            except Refusal as refusal:
                yield f"Error: Invalid payload - {refusal.detail}"
                return
            async with aclosing(self._texts(asked, dict(scope["headers"]))) as pieces:
                async for piece in pieces:
                    yield piece
        except Exception as error:  # noqa: BLE001 - the connection has begun: whatever it is, the client is told in a frame
            yield sentence_of(error)
        yield DONE

    async def _texts(self, asked: SocketQuestion, headers: Headers) -> AsyncGenerator[str, None]:
        thread_id, draft, messages = await self._questions.asked(
            self._tenant_id, asked.thread_id, asked.assistant_id, asked.message
        )
        with credentials_of(headers):
            _, reading = await self._readings.start(self._tenant_id, thread_id, draft, messages, through_actions=True)
        try:
            async with aclosing(texts(reading)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            reading.close()
