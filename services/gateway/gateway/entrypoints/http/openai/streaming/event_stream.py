"""The bytes of one stream, as its client is ready for them: what has come meanwhile is written at once.

Made by the operations, sent by `stream_reply`.
"""

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any

from gateway.application.streams.readings import Reading
from gateway.entrypoints.http.openai.streaming.event_writer import KEEPALIVE, EventWriter


class EventStream(AsyncGenerator[bytes, None]):
    """Gives whole events. Close it also when nothing was taken: a generator function would not notice that."""

    def __init__(self, reading: Reading, writer: EventWriter, first: bytes = b"") -> None:
        self._reading = reading
        self._writer = writer
        self._first = first

    async def asend(self, _value: None) -> bytes:
        """Wait for what comes next. An error of the stream is its last event."""
        try:
            told = await self._reading.told()
            if told:
                first, self._first = self._first, b""
                return first + self._writer.write(told)
        except Exception as error:  # noqa: BLE001 - the reply has begun: whatever it is, the client is told in an event
            self._reading.close()
            return self._writer.error(error)
        if self._reading.ended:
            raise StopAsyncIteration
        return KEEPALIVE

    async def athrow(
        self, kind: Any, value: BaseException | object = None, traceback: TracebackType | None = None, /
    ) -> bytes:
        """End with an error that is thrown in."""
        self._reading.close()
        raise value if isinstance(value, BaseException) else kind

    async def aclose(self) -> None:
        """Let go of the run."""
        self._reading.close()
