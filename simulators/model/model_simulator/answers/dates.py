"""Finds the dates in the output of a tool: which lines speak of one, and what stands beside it.

The output may be anybody's: headings, list items, table rows or prose, German or English, with or without a year.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from model_simulator.answers.date_patterns import DATE, DATE_OR_SPAN, TIME, ZONE, clock_times, day_and_month

_MARKUP = re.compile(r"^[\s#>*•|–-]+|\*\*|__|`|<https?://[^>\s]*>")
_SECTION_LABEL = re.compile(
    r"^(?:Abschnitt|Section|Thema|Topic|Termin|Woche|Week|Datum|Date|Titel|Title)\s*\d*\s*[:.–-]\s*", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[^\d\s][.!?])\s+(?=[A-ZÄÖÜ])")
_EDGES = " \t,;:|–—-"

# A paragraph is cut to the sentences that hold a date; a line of this length is still read as one.
_LONGEST_LINE = 240
_LONGEST_HEADING = 100


@dataclass(frozen=True, slots=True)
class Appointment:
    """A line that begins with a date: `day` and `time` as they are written there, `detail` is the rest."""

    day: str
    time: str
    detail: str


@dataclass(frozen=True, slots=True)
class FoundDates:
    """What a text holds: appointments, and other lines with a date in them; each in order and once."""

    appointments: list[Appointment]
    mentions: list[str]


def find_dates(lines: Iterable[str]) -> FoundDates:
    """Read the lines of a text."""
    appointments: dict[object, Appointment] = {}
    mentions: dict[str, None] = {}
    heading = ""
    for raw in lines:
        line = _plain(raw)
        if not DATE.search(line):
            heading = line or heading
        elif appointment := _appointment(line):
            # The same meeting often stands in a table and in a heading; the first one is kept.
            same = day_and_month(appointment.day), clock_times(appointment.time) or appointment.detail
            appointments.setdefault(same, appointment)
            heading = ""
        elif _is_bare(line, indented=raw[:1].isspace()):
            mentions[f"{heading} – {line}" if heading else line] = None
        else:
            mentions |= dict.fromkeys(_sentences(line))
            heading = line if len(line) <= _LONGEST_HEADING else ""
    return FoundDates(list(appointments.values()), list(mentions))


def emphasise_dates(line: str) -> str:
    """Return the line with its dates in bold (Markdown)."""
    return DATE_OR_SPAN.sub(r"**\g<0>**", line)


def _plain(raw: str) -> str:
    """Return a line without Markdown, and a table row as its cells with commas between them."""
    line = _MARKUP.sub("", raw).strip()
    if "|" in line:
        line = ", ".join(cell.strip() for cell in line.split("|") if cell.strip())
    return " ".join(line.split())


def _appointment(line: str) -> Appointment | None:
    line = _SECTION_LABEL.sub("", line)
    day = DATE_OR_SPAN.match(line)
    if day is None:
        return None
    rest = line[day.end() :].removeprefix("T")
    time = TIME.search(rest)
    if time is None:
        return Appointment(day[0], "", rest.strip(_EDGES))
    before, after = rest[: time.start()].strip(_EDGES), ZONE.sub("", rest[time.end() :]).strip(_EDGES)
    return Appointment(day[0], time[0], ", ".join(part for part in (before, after) if part))


def _sentences(line: str) -> list[str]:
    if len(line) <= _LONGEST_LINE:
        return [line]
    return [sentence[:_LONGEST_LINE] for sentence in _SENTENCE_END.split(line) if DATE.search(sentence)]


def _is_bare(line: str, *, indented: bool) -> bool:
    """Tell whether a line is like "Fällig: 29.11.2026 23:59", which without the line above does not say what is due."""
    label = line[: next(DATE.finditer(line)).start()].rstrip()
    return label.endswith(":") and len(label.split()) <= (6 if indented else 2)
