"""The reply of `core_course_get_contents` → a `Course`.

All quirks of that reply are dealt with here; `moodle_client` calls it. One token serves all users who have not given
their own, so nothing is passed on that an ordinary participant would not see even if the token's account sees more:

* hidden sections, hidden activities and hidden chapters are left out, and so is the pseudo section (id -1) of
  activities from hidden sections;
* of anything with a condition of access only the name and the condition are told;
* an activity whose condition is known to privileged accounts only (`availability` without `availabilityinfo`) is left
  out: to those who do not meet it, Moodle does not even show its name.

What concerns the token's account alone (completion, unread posts, badges) is dropped.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from moodle_tool.adapters.addresses import address_for_browsers, course_address
from moodle_tool.adapters.html_text import html_to_text, plain_name
from moodle_tool.application.course import Activity, Chapter, Course, CourseDate, CourseFile, Section

# `dates[].label` is translated and changes with time; `dataid` does not. Activities have further dates in `customdata`.
_DATES = {
    "allowsubmissionsfromdate": "Submission opens",
    "duedate": "Due",
    "cutoffdate": "Cut-off, last possible submission",
    "timeopen": "Opens",
    "timeclose": "Closes",
    "timeavailablefrom": "Opens",
    "timeavailableto": "Closes",
    "submissionstart": "Submission opens",
    "submissionend": "Submission closes",
    "assessmentstart": "Assessment opens",
    "assessmentend": "Assessment closes",
    "available": "Opens",
    "deadline": "Closes",
}


def read_contents(reply: list[Any], course_id: int) -> Course:
    """Translate the parsed reply. Entries that are no objects are skipped, fields of a wrong type count as missing."""
    sections = [entry for entry in reply if isinstance(entry, dict)]
    modules = [module for section in sections for module in _objects(section.get("modules"))]
    addresses = (course_address(module.get("url"), course_id) for module in modules)
    return Course(
        course_id=course_id,
        address=next(filter(None, addresses), None),
        sections=tuple(_section(section) for section in sections if _shown_to_participants(section)),
    )


def _shown_to_participants(entry: dict[str, Any]) -> bool:
    # The pseudo section of activities from hidden sections has the id -1 and no `visible`.
    return entry.get("id") != -1 and _integer(entry.get("visible")) != 0


def _section(section: dict[str, Any]) -> Section:
    restriction = html_to_text(_text(section.get("availabilityinfo")))
    accessible = section.get("uservisible") is not False
    modules = [] if restriction or not accessible else _objects(section.get("modules"))
    return Section(
        name=plain_name(_text(section.get("name"))),
        text=html_to_text(_text(section.get("summary"))),
        activities=tuple(_activity(m) for m in modules if _shown_to_participants(m) and not _secretly_restricted(m)),
        accessible=accessible,
        restriction=restriction,
    )


def _secretly_restricted(module: dict[str, Any]) -> bool:
    condition = _json(module.get("availability"))
    conditions = condition.get("c") if isinstance(condition, dict) else None
    return bool(conditions) and not _text(module.get("availabilityinfo"))


def _activity(module: dict[str, Any]) -> Activity:
    kind = _text(module.get("modname"))
    name = plain_name(_text(module.get("name")))
    restriction = html_to_text(_text(module.get("availabilityinfo")))
    accessible = module.get("uservisible") is not False
    listed = _integer(module.get("visibleoncoursepage")) != 0
    if restriction or not accessible:
        return Activity(kind=kind, name=name, accessible=accessible, restriction=restriction, listed=listed)
    contents = _objects(module.get("contents"))
    return Activity(
        kind=kind,
        name=name,
        address=address_for_browsers(module.get("url")),
        text=html_to_text(_text(module.get("description"))),
        dates=tuple(_dates(module)),
        target=_target(contents) if kind == "url" else None,
        files=tuple(_files(contents)) if kind not in {"book", "page", "url"} else (),
        chapters=tuple(_chapters(contents)) if kind == "book" else (),
        listed=listed,
    )


def _dates(module: dict[str, Any]) -> Iterator[CourseDate]:
    seen = set()
    for date in _objects(module.get("dates")):
        name = _text(date.get("dataid"))
        seen.add(name)
        label = _DATES.get(name) or plain_name(_text(date.get("label"))).rstrip(":") or "Date"
        yield from _date(label, date.get("timestamp"))
    custom = _json(module.get("customdata"))
    if isinstance(custom, dict):
        for name in _DATES.keys() & custom.keys() - seen:
            yield from _date(_DATES[name], custom[name])


def _date(label: str, timestamp: object) -> Iterator[CourseDate]:
    seconds = _integer(timestamp)
    if seconds is not None and 0 < seconds < 1 << 35:  # 0 = not set; the year 3058 is beyond any course
        yield CourseDate(label=label, at=datetime.fromtimestamp(seconds, UTC))


def _target(contents: list[dict[str, Any]]) -> str | None:
    return next((address_for_browsers(entry.get("fileurl")) for entry in contents if entry.get("type") == "url"), None)


def _files(contents: list[dict[str, Any]]) -> Iterator[CourseFile]:
    for entry in contents:
        if entry.get("type") == "file":
            folder = _text(entry.get("filepath")).strip("/")
            name = _text(entry.get("filename"))
            yield CourseFile(
                path=f"{folder}/{name}" if folder else name,
                size=_integer(entry.get("filesize")),
                address=address_for_browsers(entry.get("fileurl")),
            )


def _chapters(contents: list[dict[str, Any]]) -> Iterator[Chapter]:
    """The first entry of a book is its structure, as JSON in a string; the files after it repeat the titles."""
    for entry in contents:
        if entry.get("type") == "content" and entry.get("filename") == "structure":
            yield from _chapters_below(_json(entry.get("content")), level=0)


def _chapters_below(chapters: object, level: int) -> Iterator[Chapter]:
    for chapter in _objects(chapters):
        if _integer(chapter.get("hidden")):
            continue
        yield Chapter(title=plain_name(_text(chapter.get("title"))), level=level)
        yield from _chapters_below(chapter.get("subitems"), level + 1)


def _objects(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: object) -> int | None:
    """Numbers come as numbers or as strings, depending on who wrote them."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def _json(value: object) -> Any:
    """Parse JSON in a string; None for anything else (`customdata` without data is the string `""` in quotes)."""
    if not isinstance(value, str):
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
