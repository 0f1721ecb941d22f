"""The bytes of an answer that is read as it is written: its text and nothing else. Sent by `stream_reply`."""

from collections.abc import AsyncGenerator
from traceback import extract_tb
from types import TracebackType
from typing import Any

import structlog

from gateway.application.streams.readings import Reading
from gateway.application.streams.texts import BETWEEN_MESSAGES, texts
from gateway.entrypoints.http.owlie.refusals import UNEXPECTED, refusal_of

log = structlog.get_logger(__name__)


class TextStream(AsyncGenerator[bytes, None]):
    """Gives the text in pieces. Close it also when nothing was taken: a generator function would not notice that.

    An answer that fails ends with a paragraph of its own that says so: the reply has begun, and has no other place.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._texts = texts(reading)
        self._begun = False

    async def asend(self, _value: None) -> bytes:
        """Wait for the next piece."""
        try:
            piece = await anext(self._texts)
        except StopAsyncIteration:
            # All of it is given.
            raise
        except Exception as error:  # noqa: BLE001 - the reply has begun: whatever it is, the client is told in its text
            self._reading.close()
            beginning = BETWEEN_MESSAGES if self._begun else ""
            return f"{beginning}{sentence_of(error)}".encode()
        self._begun = True
        return piece.encode()

    async def athrow(
        self, kind: Any, value: BaseException | object = None, traceback: TracebackType | None = None, /
    ) -> bytes:
        """End with an error that is thrown in."""
        await self.aclose()
        raise value if isinstance(value, BaseException) else kind

    async def aclose(self) -> None:
        """Let go of the run, which goes on."""
        self._reading.close()
        await self._texts.aclose()


def sentence_of(error: Exception) -> str:
    """Return what is said where an answer cannot go on."""
    refusal = refusal_of(error)
    if refusal is UNEXPECTED:
        trace = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
        log.error("an answer broke off", action="answer_broke_off", error=type(error).__name__, trace=trace)
    return f"Error: {refusal.detail}"
