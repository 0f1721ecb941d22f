"""How dates and times of day are written, in German and English: the patterns, and when two spellings mean the same."""

import re

_MONTHS = (
    r"(?:Jan(?:uar|uary)?|Feb(?:ruar|ruary)?|März|Mrz|Mar(?:ch)?|Apr(?:il)?|Mai|May|June?|Juni|July?|Juli|Aug(?:ust)?|"
    r"Sep(?:t(?:ember)?)?|O[kc]t(?:ober)?|Nov(?:ember)?|De[zc](?:ember)?)\b\.?"
)
_WEEKDAYS = (
    r"(?:(?:Mon|Diens|Donners|Frei|Sams|Sonn)tag|Mittwoch|Sonnabend|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|"
    r"Mon|Tue|Wed|Thu|Fri|Sat|Sun|Mo|Di|Mi|Do|Fr|Sa|So)\b\.?,?\s+"
)
_DAY = (
    r"(?:(?<![\d.])(?:0?[1-9]|[12]\d|3[01])\.\s?(?:0?[1-9]|1[0-2])\.(?:\s?\d{4}|\d{2})?(?!\d)"
    r"|(?<!\d)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"
    rf"|(?<!\d)(?:0?[1-9]|[12]\d|3[01])\.?\s{_MONTHS}(?:,?\s\d{{4}})?"
    rf"|\b{_MONTHS}\s(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?\b(?:,?\s\d{{4}})?)"
)
DATE = re.compile(rf"(?:\b{_WEEKDAYS})?{_DAY}", re.IGNORECASE)
DATE_OR_SPAN = re.compile(rf"(?:{DATE.pattern})(?:\s*(?:[-–—]|bis|to|until)\s*(?:{DATE.pattern}))?", re.IGNORECASE)
_CLOCK = r"\d{1,2}[:.]\d{2}"
TIME = re.compile(
    rf"(?<![\d.])(?:(?:{_CLOCK}|\d{{1,2}})\s?(?:[-–—]|bis)\s?(?:{_CLOCK}|\d{{1,2}})\s?(?:Uhr|h)\b"
    rf"|{_CLOCK}\s?(?:[-–—]|bis|to)\s?{_CLOCK}|\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?:\s?Uhr\b)?|\d{{1,2}}\s?Uhr\b)",
    re.IGNORECASE,
)

# What may follow the time in ISO 8601.
ZONE = re.compile(r"^(?::\d{2})?(?:Z\b|[+-]\d{2}:?\d{2}\b)")

_NUMBERED_MONTH = re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.|\d{4}-(?P<iso_month>\d\d)-(?P<iso_day>\d\d)")
_NAMED_MONTH = re.compile(rf"(?P<before>\d{{1,2}})?\.?\s?\b(?P<month>{_MONTHS})\s?(?P<after>\d{{1,2}})?", re.IGNORECASE)
_MONTH_NUMBERS = {
    "jan": 1, "feb": 2, "mär": 3, "mrz": 3, "mar": 3, "apr": 4, "mai": 5, "may": 5, "jun": 6, "jul": 7, "aug": 8,
    "sep": 9, "okt": 10, "oct": 10, "nov": 11, "dez": 12, "dec": 12,
}  # fmt: skip


def day_and_month(date: str) -> tuple[int, int]:
    """Return (day, month) of the first date in the text: "25.10." and "October 25, 2026" are equal."""
    if numbered := _NUMBERED_MONTH.search(date):
        if numbered["day"]:
            return int(numbered["day"]), int(numbered["month"])
        return int(numbered["iso_day"]), int(numbered["iso_month"])
    named = _NAMED_MONTH.search(date)
    if named is None:
        raise ValueError(f"no date in {date!r}")
    return int(named["before"] or named["after"] or 0), _MONTH_NUMBERS[named["month"][:3].lower()]


def clock_times(time: str) -> tuple[tuple[int, int], ...]:
    """Return the (hour, minute) pairs of a time or a range: "09–15 Uhr" and "9:00-15:00" are equal."""
    found = re.findall(r"(\d{1,2})(?:[:.](\d{2}))?(?::\d{2})?", time)
    return tuple((int(hour), int(minute or 0)) for hour, minute in found)
