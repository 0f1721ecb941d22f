"""Makes the bytes of events. Used by `event_stream`, once for each stream.

Objects go through the presenters of the REST replies. Deltas are most of what is ever written, so their bytes are put
together from a prepared beginning and the text.
"""

from collections.abc import Sequence
from http import HTTPStatus
from traceback import extract_tb
from typing import Any, Final

import orjson
import structlog
from run_engine.domain.objects import Thread

from gateway.application.streams.narration import BEFORE_FIRST
from gateway.application.streams.telling import (
    ArgumentsTold,
    CallTold,
    EndTold,
    MessageTold,
    Place,
    RunTold,
    StepTold,
    TextTold,
    Told,
)
from gateway.entrypoints.http.openai.presenters import messages, runs, steps, threads
from gateway.entrypoints.http.openai.refusals import refusal_of
from gateway.entrypoints.http.openai.streaming.event_ids import event_id

log = structlog.get_logger(__name__)

KEEPALIVE: Final = b": keepalive\n"
"""A comment, for proxies and clients that give up on silence. No blank line: openai-python takes that for an event."""

_LINE_ENDS: Final = (("\x85", b"\\u0085"), ("\u2028", b"\\u2028"), ("\u2029", b"\\u2029"))
"""Characters that JSON leaves as they are, and at which some clients' line readers cut."""


class EventWriter:
    """Writes the events of one run."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._id = f"\nid: {run_id}:".encode()
        self._part: tuple[str, int] | None = None
        self._beginning = b""
        self._ending = b""

    def write(self, told: Sequence[Told]) -> bytes:
        """Return the events that tell of `told`."""
        return b"".join([self._event(each) for each in told])

    def thread_created(self, made: Thread) -> bytes:
        """Return the event of a thread that was made with the run, before all events of the run."""
        return self._object("thread.created", threads.thread(made), BEFORE_FIRST)

    def error(self, error: Exception) -> bytes:
        """Return the event that ends a broken stream. It has no id: a client comes back to the last one it was told."""
        refusal = refusal_of(error, "GET", "")
        if refusal.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            trace = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
            log.error(
                "a stream failed", action="stream_failed", run_id=self._run_id, error=type(error).__name__, trace=trace
            )
        return b"event: error\ndata: %s\n\n" % refusal.reply().body

    def _event(self, told: Told) -> bytes:
        match told:
            case TextTold():
                written = self._text(told)
            case ArgumentsTold():
                written = self._arguments(told)
            case RunTold():
                written = self._object(f"thread.run.{told.name}", runs.run(told.run), told.place)
            case StepTold():
                written = self._object(f"thread.run.step.{told.name}", steps.step(told.step), told.place)
            case MessageTold():
                written = self._object(f"thread.message.{told.name}", messages.message(told.message), told.place)
            case CallTold():
                written = self._call(told)
            case EndTold():
                written = b"event: done\ndata: [DONE]%b%b\n\n" % (self._id, _number(told.place))
        return written

    def _object(self, name: str, content: dict[str, Any], place: Place) -> bytes:
        identity = event_id(self._run_id, place).encode()
        return b"event: %b\ndata: %b\nid: %b\n\n" % (name.encode(), json_line(content), identity)

    def _text(self, told: TextTold) -> bytes:
        if told.first:
            value = {"value": told.text, "annotations": []} if told.kind == "text" else told.text
            content = [{"index": told.number, "type": told.kind, told.kind: value}]
            delta = {"id": told.message_id, "object": "thread.message.delta", "delta": {"content": content}}
            return self._object("thread.message.delta", delta, told.place)
        if self._part != (told.message_id, told.number):
            self._part = (told.message_id, told.number)
            opening = '"text":{"value":' if told.kind == "text" else '"refusal":'
            self._beginning = (
                f'event: thread.message.delta\ndata: {{"id":"{told.message_id}","object":"thread.message.delta",'
                f'"delta":{{"content":[{{"index":{told.number},"type":"{told.kind}",{opening}'
            ).encode()
            self._ending = (b"}}]}}" if told.kind == "text" else b"}]}}") + self._id
        return b"%b%b%b%b\n\n" % (self._beginning, json_line(told.text), self._ending, _number(told.place))

    def _arguments(self, told: ArgumentsTold) -> bytes:
        if self._part != (told.step_id, told.number):
            self._part = (told.step_id, told.number)
            self._beginning = (
                f'event: thread.run.step.delta\ndata: {{"id":"{told.step_id}","object":"thread.run.step.delta",'
                f'"delta":{{"step_details":{{"type":"tool_calls","tool_calls":[{{"index":{told.number},'
                '"type":"function","function":{"arguments":'
            ).encode()
            self._ending = b"}}]}}}" + self._id
        return b"%b%b%b%b\n\n" % (self._beginning, json_line(told.text), self._ending, _number(told.place))

    def _call(self, told: CallTold) -> bytes:
        function = {"name": told.name, "arguments": "", "output": None}
        call = {"index": told.number, "id": told.call_id, "type": "function", "function": function}
        details = {"type": "tool_calls", "tool_calls": [call]}
        delta = {"id": told.step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}}
        return self._object("thread.run.step.delta", delta, told.place)


def json_line(value: Any) -> bytes:
    """Return `value` as JSON that is one line to everybody."""
    return one_line(orjson.dumps(value))


def one_line(written: bytes) -> bytes:
    """Return JSON as it is one line to everybody."""
    if not written.isascii():
        for character, escaped in _LINE_ENDS:
            written = written.replace(character.encode(), escaped)
    return written


def _number(place: Place) -> bytes:
    return b"%d.%d" % (place.seq, place.n) if place.n else b"%d" % place.seq
