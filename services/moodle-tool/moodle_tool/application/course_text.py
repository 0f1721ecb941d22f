"""Writes a course down as compact text for a model. Called by `read_course`.

The texts of the course stay in its language; the words around them are English. A course that is too long is written
with less detail, and says so in its second line.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from moodle_tool.application.course import Activity, Course, CourseDate, CourseFile, Section

_KINDS = {
    "assign": "Assignment",
    "book": "Book",
    "choice": "Choice",
    "data": "Database",
    "feedback": "Feedback",
    "folder": "Folder",
    "forum": "Forum",
    "glossary": "Glossary",
    "h5pactivity": "H5P",
    "label": "Text",
    "lesson": "Lesson",
    "lti": "External tool",
    "page": "Page",
    "quiz": "Quiz",
    "resource": "File",
    "url": "Link",
    "wiki": "Wiki",
    "workshop": "Workshop",
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Detail:
    """How much is written: addresses of files, files at all, characters of each text (None = all), addresses."""

    file_links: bool = True
    files: bool = True
    text_limit: int | None = None
    links: bool = True
    left_out: str = ""


_DETAILS = (
    _Detail(),
    _Detail(file_links=False, left_out="the direct addresses of files"),
    _Detail(
        file_links=False,
        files=False,
        text_limit=400,
        left_out="the names and addresses of files, and the rest of every text longer than 400 characters",
    ),
    _Detail(
        file_links=False,
        files=False,
        text_limit=0,
        links=False,
        left_out="all texts, files and addresses: only names and dates are listed",
    ),
)


def course_text(course: Course, *, zone: ZoneInfo, limit: int) -> str:
    """Return the course as text of at most `limit` characters, with all times in `zone`."""
    full_length = 0
    text = ""
    for detail in _DETAILS:
        text = "\n".join([*_head(course, zone, detail, full_length), *_body(course, zone, detail)])
        full_length = full_length or len(text)
        if len(text) <= limit:
            return text
    return _cut(text, course, limit)


def _head(course: Course, zone: ZoneInfo, detail: _Detail, full_length: int) -> list[str]:
    title = f"Moodle course {course.course_id}"
    if course.address:
        title += f" <{course.address}>"
    if not course.sections:
        return [title, "The course has no content that is visible to participants."]
    lines = [title]
    if detail.left_out:
        lines.append(
            f"NOTE: in full this course has {full_length} characters, which is too long. Left out: {detail.left_out}."
        )
    lines.append(
        f"Times are {zone.key}. Dates of assignments are the general ones, without personal extensions. What is "
        "written inside pages, books, forums, quizzes and files is not part of this overview."
    )
    return lines


def _body(course: Course, zone: ZoneInfo, detail: _Detail) -> list[str]:
    return [line for section in course.sections for line in _section(section, zone, detail)]


def _section(section: Section, zone: ZoneInfo, detail: _Detail) -> list[str]:
    lines = ["", f"## {section.name}"]
    lines += _access(section.accessible, section.restriction)
    lines += _shortened(section.text, detail)
    for activity in section.activities:
        lines += _activity(activity, zone, detail)
    return lines


def _activity(activity: Activity, zone: ZoneInfo, detail: _Detail) -> list[str]:
    kind = _KINDS.get(activity.kind, activity.kind.capitalize())
    text = _shortened(activity.text, detail)
    name = activity.name
    if activity.kind == "label" and text and _begins_with(activity.text, name):
        name = text.pop(0) if len(text) == 1 else ""
    lines = [_moment(date, zone) for date in activity.dates]
    lines += _access(activity.accessible, activity.restriction)
    lines += text
    if detail.text_limit != 0 and activity.chapters:
        lines += ["Chapters:", *("  " * chapter.level + f"- {chapter.title}" for chapter in activity.chapters)]
    lines += _files(activity, detail)
    return [f"* {kind}: {name}".rstrip() + _links(activity, detail), *(f"  {line}" for line in lines)]


def _links(activity: Activity, detail: _Detail) -> str:
    after = ""
    if activity.target and detail.links:
        after += f" → {activity.target}"
    elif activity.address and detail.links:
        after += f" <{activity.address}>"
    if _is_one_file(activity) and detail.files:
        after += f" {_file(activity.files[0])}"
    if not activity.listed:
        after += " (not shown on the course page)"
    return after


def _moment(date: CourseDate, zone: ZoneInfo) -> str:
    return f"{date.label}: {readable(date.at, zone)}"


def readable(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment as `Sun 29.11.2026 23:59`: day first, with the weekday, in the given zone."""
    local = moment.astimezone(zone)
    return f"{_DAYS[local.weekday()]} {local:%d.%m.%Y %H:%M}"


def _access(accessible: bool, restriction: str) -> list[str]:
    if not restriction:
        return [] if accessible else ["Not accessible."]
    first, *others = restriction.splitlines()
    return [f"Restricted: {first}", *others]


def _is_one_file(activity: Activity) -> bool:
    """Whether the address of the activity leads to the file itself."""
    return activity.kind == "resource" and len(activity.files) == 1


def _files(activity: Activity, detail: _Detail) -> list[str]:
    if not activity.files or detail.text_limit == 0 or _is_one_file(activity):
        return []
    if not detail.files:
        return [f"{len(activity.files)} file{'s' if len(activity.files) > 1 else ''}"]
    return [
        f"- {_file(file)}" + (f" <{file.address}>" if detail.file_links and file.address else "")
        for file in activity.files
    ]


def _file(file: CourseFile) -> str:
    return file.path if file.size is None else f"{file.path} ({_readable_size(file.size)})"


def _readable_size(size: int) -> str:
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def _shortened(text: str, detail: _Detail) -> list[str]:
    if detail.text_limit is not None and len(text) > detail.text_limit:
        text = text[: detail.text_limit].rstrip()
        text += " …" if text else ""
    return text.splitlines()


def _begins_with(text: str, name: str) -> bool:
    """Whether a label's name is only the beginning of its text, which Moodle makes of it when no name was given."""
    words = " ".join(text.split())
    return words.startswith(" ".join(name.removesuffix("...").removesuffix("…").split()))


def _cut(text: str, course: Course, limit: int) -> str:
    """Cut at a line, and name the sections that are missing altogether as far as there is room."""
    room = limit // 5
    kept = text[: limit - room]
    kept = kept[: kept.rfind("\n")]
    begun = kept.count("\n## ")
    missing = [section.name for section in course.sections[begun:]]
    end = f"\n\nNOTE: the text is cut here. Left out: the rest of this section and {len(missing)} more sections"
    if missing:
        end += ": " + "; ".join(missing)
    return (kept + end)[: limit - 2] + (" …" if len(kept + end) > limit - 2 else ".")
