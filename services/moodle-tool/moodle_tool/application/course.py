"""A course as it is told to a model: plain text, real dates, addresses that a person can open.

`adapters.course_contents` builds these from Moodle's reply; `course_text` writes them down. No field holds HTML, an
entity, or an address with a token in it.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseDate:
    """One date of an activity: a label in English (`Due`, `Opens`) and an aware point in time."""

    label: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseFile:
    """A file: its path below the activity (`Vorlagen/Feedbackbogen.docx`), size in bytes, address for a browser."""

    path: str
    size: int | None
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A chapter of a book; `level` 0 is the outermost."""

    title: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity or resource of a section (Moodle calls it a module).

    `kind` is Moodle's module name (`assign`, `label`, `url`, …). `text` is the description, lines separated by a line
    feed. `target` is where a link resource leads. `restriction` tells the conditions of access, in the language of
    Moodle's account; where there is one, nothing but name and restriction is known. `listed` is False for an activity
    that is reachable but not shown on the course page.
    """

    kind: str
    name: str
    address: str | None = None
    text: str = ""
    dates: tuple[CourseDate, ...] = ()
    target: str | None = None
    files: tuple[CourseFile, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    accessible: bool = True
    restriction: str = ""
    listed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the course page with its activities in order; `accessible` and `restriction` as in `Activity`."""

    name: str
    text: str = ""
    activities: tuple[Activity, ...] = ()
    accessible: bool = True
    restriction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The visible content of one course. `address` is its page in Moodle, if Moodle's reply told it."""

    course_id: int
    address: str | None
    sections: tuple[Section, ...]
