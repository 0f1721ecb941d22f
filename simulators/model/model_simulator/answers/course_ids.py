"""Finds course ids in text: in what the user asks, and in the instructions of an assistant ("Kurs-ID 51589")."""

import re
from collections.abc import Iterable

# The words between a course and its number, at most a few: "Die Kurs-ID in Moodle lautet 51589".
_GAP = r"[^\d\n.!?]{0,24}?"
_NUMBERS = r"(\d{1,10}(?:\s*(?:,|;|&|und|and|sowie|oder|or)\s*\d{1,10})*)(?![\d:]|\.\d)"
_WITH_ID = re.compile(
    rf"\b(?:kurs\w*|course\w*|moodle)?[-_ ]?(?:ids?|nummern?|nr\.?|numbers?|no\.)\b{_GAP}{_NUMBERS}", re.IGNORECASE
)
_COURSE = re.compile(rf"\b(?:kurse?[ns]?|courses?)\b\W{{0,3}}{_NUMBERS}", re.IGNORECASE)
_ADDRESS = re.compile(r"/course/view\.php\?(?:[^\s\"]*&)?id=(\d+)")
_BARE = re.compile(r"(?<![\d.,:/-])\d{4,10}(?![\d:/-]|[.,]\d)")
_DIGITS = re.compile(r"\d+")


def named_in(text: str) -> list[str]:
    """Return the numbers that the text calls course ids, in order of appearance and each once."""
    found: list[tuple[int, str]] = [(match.start(1), match[1]) for match in _ADDRESS.finditer(text)]
    for pattern in (_WITH_ID, _COURSE):
        for match in pattern.finditer(text):
            numbers = _DIGITS.finditer(match[1])
            found += [(match.start(1) + number.start(), number[0]) for number in numbers]
    # "Kurs 2026" is more likely a year; "Kurs-ID 2026" was said to be an id, and is found by _WITH_ID alone.
    explicit = {position for match in _WITH_ID.finditer(text) for position in range(match.start(1), match.end(1))}
    return _each_once(number for at, number in sorted(found) if at in explicit or not _is_year(number))


def plausible_in(text: str) -> list[str]:
    """Return what the text names, or else the bare numbers of a question: "termine von 51589 und 50726"."""
    return named_in(text) or _each_once(number for number in _BARE.findall(text) if not _is_year(number))


def is_little_more_than_an_id(text: str) -> bool:
    """Tell whether a message only supplies the id that was asked for: "51589", "Kurs 51589 bitte"."""
    return bool(plausible_in(text)) and len(text.split()) <= 4


def _is_year(number: str) -> bool:
    return len(number) == 4 and number[:2] in ("19", "20")


def _each_once(numbers: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(numbers))
