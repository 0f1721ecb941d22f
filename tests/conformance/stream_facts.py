"""Holds a stream of a run to the field facts while it passes: its wire, every payload, the order, and the event ids.

Made by `FieldFacts.stream`; the recorder of a suite feeds it what it passes on.
"""

import re
from collections.abc import Callable
from typing import Any

import orjson
from conformance.event_stream import Event, EventReader
from conformance.stream_order import Beginning, StreamOrder

Violations = Callable[[str, bytes], list[str]]
"""Where bytes differ from a named schema."""

_ID = re.compile(r"([A-Za-z0-9_-]{1,64}):(\d+)(?:\.(\d+))?")


class StreamFacts:
    """One stream. `schemas` names the schema of each event's payload; without a `beginning` the order is not judged."""

    def __init__(self, schemas: dict[str, str], violations: Violations, beginning: Beginning | None) -> None:
        self._schemas = schemas
        self._violations = violations
        self._reader = EventReader()
        self._order = None if beginning is None else StreamOrder(beginning)
        self._problems: list[str] = []
        self._last: tuple[int, int] | None = None
        self._run: str | None = None
        self.events: list[tuple[str, Any]] = []
        """What has passed: names and payloads, read. The payload of `done` is None."""

    @property
    def problems(self) -> list[str]:
        """What was wrong so far."""
        return [*self._problems, *self._reader.problems, *([] if self._order is None else self._order.problems)]

    @property
    def names(self) -> list[str]:
        """The names of the events so far."""
        return [name for name, _ in self.events]

    def feed(self, data: bytes) -> None:
        """Take what comes next."""
        for event in self._reader.feed(data):
            self._check(event)

    def end(self) -> None:
        """The server has ended the stream. Not for a stream that its client has left."""
        self._reader.end()
        if self._order is not None:
            self._order.end()

    def _check(self, event: Event) -> None:
        if event.name != "error":
            self._check_id(event)
        if event.name == "done":
            if event.data != "[DONE]":
                self._problems.append(f"done with {event.data!r}")
            self._take("done", None)
            return
        schema = self._schemas.get(event.name)
        if schema is None:
            self._problems.append(f"an event of no known name: {event.name!r}")
            return
        found = self._violations(schema, event.data.encode())
        self._problems += [f"{event.name}: {each}" for each in found]
        if found:
            # The order is only read from payloads that are what they should be.
            self._order = None
        else:
            self._take(event.name, orjson.loads(event.data))

    def _take(self, name: str, data: Any) -> None:
        self.events.append((name, data))
        if data is not None and data.get("object") == "thread.run" and data["id"] != self._run:
            self._problems.append(f"{name} of {data['id']} has an id of run {self._run}")
        if self._order is not None:
            self._order.sees(name, data)

    def _check_id(self, event: Event) -> None:
        """Ids name the run and a place in it, and places only grow: that is what makes a stream one to come back to."""
        found = _ID.fullmatch(event.id)
        if found is None:
            self._problems.append(f"{event.name} with the id {event.id!r}")
            return
        self._run = self._run or found[1]
        place = int(found[2]), int(found[3] or 0)
        if found[1] != self._run:
            self._problems.append(f"{event.name} has an id of run {found[1]} in the stream of {self._run}")
        if self._last is not None and place <= self._last:
            self._problems.append(f"{event.name} has the id {event.id}, which is not after {self._last}")
        self._last = place
