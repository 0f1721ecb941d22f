"""Recognises a question about dates, in German and English."""

import re

_ABOUT_DATES = re.compile(
    r"termin|\bwann\b|\bdatum\b|\bfrist|\babgabe|\bfällig|stundenplan|zeitplan|kalender|prüfungszeit|"
    r"\bdates?\b|\bdeadlines?\b|\bschedules?\b|\bwhen\b|\bdue\b|\bcalendar\b|\bappointments?\b|\btimetable\b",
    re.IGNORECASE,
)


def asks_for_dates(text: str) -> bool:
    """Tell whether the text asks when something is."""
    return _ABOUT_DATES.search(text) is not None
