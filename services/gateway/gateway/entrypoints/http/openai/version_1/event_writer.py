"""Makes the bytes of events for callers of version 1. Made by `RunStreams`, once for each stream."""

from collections.abc import Sequence
from typing import Any

from gateway.application.streams.telling import Place, TextTold, Told
from gateway.entrypoints.http.openai.streaming.event_writer import EventWriter
from gateway.entrypoints.http.openai.version_1.presenters import event_name, in_version_1


class EventWriter1(EventWriter):
    """Writes the events of one run in the words of version 1."""

    def write(self, told: Sequence[Told]) -> bytes:
        """Return the events that tell of `told`. What a model refuses with is a text."""
        return super().write([each._replace(kind="text") if isinstance(each, TextTold) else each for each in told])

    def _object(self, name: str, content: dict[str, Any], place: Place) -> bytes:
        return super()._object(event_name(name), in_version_1(content), place)
