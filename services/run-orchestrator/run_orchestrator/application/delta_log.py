"""What those who stream a run are told of one claim, in order. `delta_senders` sends it to their slots.

The log is kept for the whole claim: whoever joins in the middle gets all of it. Pieces have the shape of the contract
`run-delta.produced`. Losing one costs a reader a look at the database, never the text.
"""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from run_engine.domain.objects import Json, Run
from run_engine.domain.stream_slots import all_slots, is_streamed
from run_engine.store.streams import StoredEvent

from run_orchestrator.application.reply import Fragment

RECORD_SIZE: Final = 150_000
"""Characters in one record, with what stands around the text. Kafka takes a megabyte; JSON, six bytes a character."""
OF_A_PIECE: Final = 500
"""Characters that stand around the text of a piece, at the most: ids and names."""
OF_AN_EVENT: Final = 1_000
OF_A_FRAGMENT: Final = 10
"""What a text counts for at least, so that no record takes more than a few milliseconds to put together."""


class _Text(NamedTuple):
    """Text of one part of a step, and what was said of that part before."""

    step_id: str
    offset: int
    fragment: Fragment


class DeltaLog:
    """The log of one claim. `slots` are those it is sent to; where none of them streams, no text is written into it."""

    def __init__(self, run: Run) -> None:
        self.slots: frozenset[int] = frozenset()
        self.streamed = False
        """Whether somebody reads the text."""
        self.tell_to(run.stream_slots)
        self.seq = run.seq
        """The last event of the run that this worker knows of."""
        self.ended = False
        """Nothing will be added any more."""
        self._owner = {"tenant_id": run.tenant_id, "run_id": run.id}
        self._entries: list[_Text | dict[str, Any]] = []
        self._lengths: dict[tuple[str, str | int], int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def tell_to(self, numbers: Collection[int]) -> bool:
        """Has the log sent as the slots of a run say; return whether that is something new."""
        before = self.slots, self.streamed
        self.slots, self.streamed = all_slots(numbers), is_streamed(numbers)
        return before != (self.slots, self.streamed)

    def event(self, event: StoredEvent) -> None:
        """Adds a copy of an event that was committed."""
        self.seq = event.seq
        self._entries.append(
            {
                **self._owner,
                "event": {
                    "seq": event.seq,
                    "type": event.type,
                    "subject": event.subject,
                    "data": event.data,
                    "created_at": event.created_at.isoformat(),
                },
            }
        )

    def committed(self) -> None:
        """Adds that the run has one event more than is known here, at least: what it is, the database tells."""
        self.seq += 1
        self._entries.append({**self._owner, "seq": self.seq})

    def claimed(self, event: Json) -> None:
        """Adds a copy of the event of the claim."""
        self._entries.append({**self._owner, "event": event})

    def text(self, step_id: str, fragment: Fragment) -> None:
        """Adds what comes next of one part of a step."""
        place = (step_id, fragment.part)
        offset = self._lengths.get(place, 0)
        self._lengths[place] = offset + len(fragment.text)
        most = RECORD_SIZE - OF_A_PIECE
        for start in range(0, max(1, len(fragment.text)), most):
            piece = fragment._replace(
                text=fragment.text[start : start + most], call=fragment.call if start == 0 else None
            )
            self._entries.append(_Text(step_id, offset + start, piece))

    def pieces(self, start: int, room: int) -> tuple[list[dict[str, Any]], int, int]:
        """The pieces from the entry `start` on, the entry after them, and their size, which is `room` at the most.

        Texts that follow each other become one piece. Every entry fits into the room of a whole record.
        """
        pieces: list[dict[str, Any]] = []
        texts: list[str] = []
        size, end, last = 0, start, None
        while end < len(self._entries):
            entry = self._entries[end]
            if not isinstance(entry, _Text):
                if size + OF_AN_EVENT > room:
                    break
                size, end, last = size + OF_AN_EVENT, end + 1, None
                pieces.append(entry)
                continue
            fragment = entry.fragment
            continues = last == (entry.step_id, fragment.part) and fragment.call is None
            weight = max(len(fragment.text), OF_A_FRAGMENT) if continues else len(fragment.text) + OF_A_PIECE
            if size + weight > room:
                break
            size, end = size + weight, end + 1
            if continues:
                texts.append(fragment.text)
                continue
            texts, last = [fragment.text], (entry.step_id, fragment.part)
            piece: dict[str, Any] = {
                **self._owner,
                "step_id": entry.step_id,
                "part": fragment.part,
                "offset": entry.offset,
                "text": texts,
            }
            if fragment.call is not None:
                piece["call"] = {"id": fragment.call.id, "name": fragment.call.name}
            pieces.append(piece)
        for piece in pieces:
            if "text" in piece:
                piece["text"] = "".join(piece["text"])
        return pieces, end, size
