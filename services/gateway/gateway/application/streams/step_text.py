"""The text of one step, as far as it is known, in the order in which it is told. Pure. Used by `run_log`, `narration`.

A message has the parts `text` and `refusal`, a step that calls tools one part a call: its arguments. The order decides
what a place in a step means, so a part is only gone on to when the one before it is whole: a message's when its final
content is there, a call's when its arguments are a JSON text and the next call has begun.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import orjson
from run_engine.domain.objects import Json, ToolCall

Part: TypeAlias = Literal["text", "refusal"] | int


class Call(NamedTuple):
    """A tool call that begins."""

    id: str
    name: str


class Passage(NamedTuple):
    """Something to tell of a step: the beginning of a call, or text of one part from `offset` on."""

    part: Part
    number: int
    call: Call | None
    offset: int
    text: str
    end: int
    """What was told of the step after it: code points and beginnings of calls."""


class _PartText:
    """The text of one part, in the pieces in which it came."""

    __slots__ = ("_checked", "_ends", "_pieces", "call", "length", "whole")

    def __init__(self, call: Call | None, *, whole: bool = False) -> None:
        self.call = call
        self.length = 0
        self.whole = whole
        self._pieces: list[str] = []
        self._ends: list[int] = []
        self._checked = -1

    def add(self, text: str) -> None:
        if text:
            self.length += len(text)
            self._pieces.append(text)
            self._ends.append(self.length)

    def since(self, offset: int) -> str:
        first = bisect_right(self._ends, offset)
        begins = self._ends[first - 1] if first else 0
        if first == len(self._pieces) - 1:
            return self._pieces[first][offset - begins :]
        return "".join(self._pieces[first:])[offset - begins :]

    def is_whole(self) -> bool:
        if not self.whole and self.call is not None and self._checked != self.length:
            self._checked = self.length
            try:
                orjson.loads(self.since(0))
            except orjson.JSONDecodeError:
                return False
            self.whole = True
        return self.whole


class StepText:
    """What is known of a step's text. Pieces may come twice, in any order, and with gaps; gaps are never told."""

    def __init__(self) -> None:
        self._parts: dict[Part, _PartText] = {}
        self.size = 0
        """Code points of all parts."""

    def add(self, part: Part, offset: int, text: str, call: Call | None = None) -> bool:
        """Take a piece; return whether it brought anything that can be used."""
        known = self._parts.get(part)
        if known is None:
            if offset > 0 or (isinstance(part, int) and call is None) or (not text and call is None):
                return False
            known = self._parts[part] = _PartText(call)
        elif offset > known.length or offset + len(text) <= known.length:
            return False
        before = known.length
        known.add(text[known.length - offset :])
        self.size += known.length - before
        return True

    def passages(self, start: int) -> Iterator[Passage]:
        """Give what is known and comes after the first `start` (code points and beginnings of calls)."""
        begins = 0
        for number, (part, known) in enumerate(self._in_order()):
            opening = 0 if known.call is None else 1
            end = begins + opening + known.length
            if start < end:
                if opening and start <= begins:
                    yield Passage(part, number, known.call, 0, "", begins + 1)
                offset = max(0, start - begins - opening)
                if offset < known.length:
                    yield Passage(part, number, None, offset, known.since(offset), end)
            begins = end

    def units(self) -> int:
        """Return how much there is to tell: the `end` of the last passage."""
        return sum((known.call is not None) + known.length for _, known in self._in_order())

    def content(self) -> list[Json]:
        """Return the text as content parts of a message."""
        return [_content_part(part, known.since(0)) for part, known in self._parts.items()]

    def finished(self, final: Sequence[tuple[Part, str, Call | None]]) -> "StepText":
        """Return the whole text, now that the stored one is there. Of each part, the longer one counts.

        So what was told stays in its place, and what is missing follows it.
        """
        texts = {part: (text, call) for part, text, call in final}
        finished = StepText()
        for part in [*self._parts, *(part for part in texts if part not in self._parts)]:
            text, call = texts.get(part, ("", None))
            known = self._parts.get(part)
            if known is not None:
                text = text if len(text) >= known.length else known.since(0)
                call = known.call if call is None else call
            whole = finished._parts[part] = _PartText(call, whole=True)
            whole.add(text)
            finished.size += whole.length
        return finished

    def _in_order(self) -> Iterator[tuple[Part, _PartText]]:
        # A message's parts follow each other as they have appeared, calls by their number.
        parts = self._parts
        order: Sequence[Part] = list(parts) if "text" in parts or "refusal" in parts else range(len(parts))
        for place, part in enumerate(order):
            known = parts.get(part)
            if known is None:
                return
            yield part, known
            if place + 1 < len(order) and not known.is_whole():
                return


def parts_of_content(content: Sequence[Any]) -> list[tuple[Part, str, Call | None]]:
    """Return the parts of a stored message that are told as text."""
    parts: list[tuple[Part, str, Call | None]] = []
    for each in content:
        if each["type"] == "text" and each["text"]["value"]:
            parts.append(("text", each["text"]["value"], None))
        elif each["type"] == "refusal" and each["refusal"]:
            parts.append(("refusal", each["refusal"], None))
    return parts


def parts_of_calls(calls: Sequence[ToolCall]) -> list[tuple[Part, str, Call | None]]:
    """Return the parts of a stored step that calls tools."""
    return [(index, call.arguments, Call(call.id, call.name)) for index, call in enumerate(calls)]


def _content_part(part: Part, text: str) -> Json:
    if part == "text":
        return {"type": "text", "text": {"value": text, "annotations": []}}
    return {"type": "refusal", "refusal": text}
