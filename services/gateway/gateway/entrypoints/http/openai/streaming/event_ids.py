"""Ids of events: `<run id>:<seq>` or `<run id>:<seq>.<n>`, a place of a run in one word.

A client sends back its last one to go on from there. Used by `event_writer` and the operations.
"""

import re
from typing import Final

from gateway.application.streams.telling import Place
from gateway.entrypoints.http.openai.refusals import Refusal, clip

_PLACE: Final = re.compile(r"(\d{1,9})(?:\.(\d{1,10}))?", re.ASCII)


def event_id(run_id: str, place: Place) -> str:
    """Return the id of what was told at a place."""
    return f"{run_id}:{place.seq}.{place.n}" if place.n else f"{run_id}:{place.seq}"


def place_of(run_id: str, text: str) -> Place:
    """Return the place that an id names. Raises `Refusal` for what is no id of an event of this run."""
    named, _, rest = text.rpartition(":")
    found = _PLACE.fullmatch(rest)
    if named != run_id or found is None:
        raise unknown_place(run_id, text)
    return Place(int(found[1]), int(found[2] or 0))


def unknown_place(run_id: str, text: str) -> Refusal:
    """Return the refusal of an id that names no place of the run."""
    return Refusal(
        400,
        f"Invalid 'last_event_id': expected the id of an event that run '{run_id}' has streamed, "
        f"but got '{clip(text, 128)}' instead.",
        param="last_event_id",
        code="invalid_value",
    )
