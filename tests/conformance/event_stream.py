"""Reads server-sent events as they pass, and is stricter than any client: what one of them trips over is a problem.

Used by `stream_facts`. The rules come from running the official SDKs: an event is `id`, `event` and `data`, each once,
and a blank line; a comment is a line of its own, because a blank line behind one is an empty event to openai-python.
"""

from typing import NamedTuple

_FIELDS = ("id", "event", "data")


class Event(NamedTuple):
    """One event. A field that was missing is empty."""

    id: str
    name: str
    data: str


class EventReader:
    """Takes the bytes of a stream in any cut; gives its events, and keeps what was wrong with them in `problems`.

    With `places` a block of an id alone is no event: it moves a reader's place, as the feed of all events does.
    """

    def __init__(self, *, places: bool = False) -> None:
        self._places = places
        self.problems: list[str] = []
        self._rest = b""
        self._fields: dict[str, str] = {}

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that are complete with these bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = []
        for line in lines:
            if line:
                self._take(line.decode())
            elif self._places and self._fields.keys() == {"id"}:
                self._fields = {}
            elif self._fields:
                events.append(self._event())
            else:
                self.problems.append("a blank line without an event before it")
        return events

    def end(self) -> None:
        """Note what is left over: nothing may be."""
        if self._rest or self._fields:
            self.problems.append(f"the stream ends in the middle of an event: {self._fields} {self._rest!r}")

    def _take(self, line: str) -> None:
        if line.startswith(":"):
            return
        field, colon, value = line.partition(": ")
        if not colon or field not in _FIELDS:
            self.problems.append(f"a line that is no field of an event: {line!r}")
        elif field in self._fields:
            self.problems.append(f"an event with two lines {field!r}")
        else:
            self._fields[field] = value

    def _event(self) -> Event:
        # An error is not part of the run: with an id, a reader that comes back would go on behind what it was not told.
        wanted = _FIELDS[1:] if self._fields.get("event") == "error" else _FIELDS
        self.problems += [
            f"an event without {field!r}: {self._fields}" for field in wanted if field not in self._fields
        ]
        event = Event(*(self._fields.get(field, "") for field in _FIELDS))
        self._fields = {}
        return event
