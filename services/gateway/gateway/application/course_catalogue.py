"""The courses of universities, and which assistant answers in which mode of which course. One file, read at the start.

Used by the dialect that course front ends speak. The file is for people to write, so everything that is wrong with it
is said in one line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from uuid import NAMESPACE_URL, uuid5

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from run_engine.domain import ids

ModeName = Literal["general", "quiz", "exam"]

_LARGEST: Final = 4 * 1024 * 1024
_MOST_NAMED: Final = 3
_ASSISTANTS: Final = uuid5(NAMESPACE_URL, "urn:threadworks:course-assistants")


class CatalogueUnusable(ValueError):
    """The catalogue cannot be used; the text says why, in one line."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_text(value: Any) -> Any:
    # What a person means as a name, YAML may take for a number.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=256)]


class Function(BaseModel):
    """What a function tool can be called with; its other members are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]
    parameters: dict[str, Any] | None = None


class Tool(_Part):
    """A tool, as the API of assistants has it."""

    type: Literal["code_interpreter", "file_search", "function"]
    function: Function | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.type == "function") != (self.function is not None):
            raise ValueError("a tool has a function where its type is 'function', and there alone")
        return self


class Mode(_Part):
    """One way in which a course is talked about: which assistant answers, and how it is made where it is missing."""

    assistant_id: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] | None = None
    """Without one, the id is made of the place in the catalogue: the same at every start, in every gateway."""
    model: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    instructions: Annotated[str, Field(max_length=256_000)] | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if self.assistant_id is None and self.model is None:
            raise ValueError("a mode needs an assistant_id, or the model of an assistant to be made")
        return self


class Course(_Part):
    """A course of a Moodle."""

    course_id: Annotated[str, BeforeValidator(_as_text), Field(pattern="^[0-9]{1,18}$")]
    modes: Annotated[dict[ModeName, Mode], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class CourseMode:
    """A mode of a course, with its place in the catalogue."""

    university: str
    degree: str
    subject: str
    course_name: str
    mode_name: str
    course_id: str
    mode: Mode

    @property
    def assistant_id(self) -> str:
        """The assistant that answers."""
        if self.mode.assistant_id is not None:
            return self.mode.assistant_id
        place = (self.university, self.degree, self.subject, self.course_name, self.mode_name)
        return ids.render("assistant", uuid5(_ASSISTANTS, "\n".join(place)))


class CourseCatalogue(_Part):
    """universities → degree → subject → course."""

    universities: dict[Name, dict[Name, dict[Name, dict[Name, Course]]]]

    @model_validator(mode="after")
    def _names_each_course_once(self) -> Self:
        # Front ends ask for the assistant by the name of the course alone.
        seen: set[str] = set()
        for name, _ in self._courses():
            if name[-1] in seen:
                raise ValueError(f"there are two courses with the name '{name[-1]}'")
            seen.add(name[-1])
        return self

    def courses_of(self, university: str, degree: str, subject: str) -> Sequence[str] | None:
        """Return the names of a subject's courses; None where there is no such subject."""
        found = self.universities.get(university, {}).get(degree, {}).get(subject)
        return None if found is None else list(found)

    def assistant_of(self, course_name: str, mode_name: str) -> str | None:
        """Return the id of the assistant for a mode of a course; None where there is no such course or mode."""
        wanted = (course_name, mode_name)
        return next((each.assistant_id for each in self.modes() if (each.course_name, each.mode_name) == wanted), None)

    def has_course(self, course_id: str) -> bool:
        """Whether it has the course of that id in Moodle."""
        return any(course.course_id == course_id for _, course in self._courses())

    def modes(self) -> Iterator[CourseMode]:
        """Give the modes of all courses."""
        for place, course in self._courses():
            for mode_name, mode in course.modes.items():
                yield CourseMode(*place, mode_name, course.course_id, mode)

    def _courses(self) -> Iterator[tuple[tuple[str, str, str, str], Course]]:
        for university, degrees in self.universities.items():
            for degree, subjects in degrees.items():
                for subject, named in subjects.items():
                    for name, course in named.items():
                        yield (university, degree, subject, name), course


def read_catalogue(path: Path) -> CourseCatalogue:
    """Read a catalogue from a file, YAML or JSON (which is YAML, too). Raises `CatalogueUnusable`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CatalogueUnusable(f"{path} cannot be read ({error.strerror})") from None
    if len(content) > _LARGEST:
        raise CatalogueUnusable(f"{path} is larger than {_LARGEST} bytes")
    try:
        value = _loaded(content)
    except _NamedTwice as twice:
        raise CatalogueUnusable(f"{path} names '{twice.key}' twice in one place (line {twice.line})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark is not None else ""
        raise CatalogueUnusable(f"{path} is neither YAML nor JSON{place}") from None
    except (ValueError, RecursionError):
        raise CatalogueUnusable(f"{path} is neither YAML nor JSON") from None
    try:
        return CourseCatalogue.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        shown = "; ".join(_sentence(each["loc"], each["msg"]) for each in problems[:_MOST_NAMED])
        more = f"; and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
        raise CatalogueUnusable(f"{path} is no course catalogue: {shown}{more}") from None


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return _in_one_line(f"{' → '.join(str(part) for part in place)}: {message}" if place else message)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


class _NamedTwice(Exception):
    def __init__(self, key: str, line: int) -> None:
        super().__init__(key)
        self.key = _in_one_line(key)
        self.line = line


def _loaded(content: bytes) -> Any:
    """Return what YAML says, as `yaml.safe_load`, which takes the last of two courses with one name and says nothing.

    Raises `_NamedTwice`.
    """
    loader = yaml.SafeLoader(content)
    try:
        document = loader.get_single_node()
        if document is None:
            return None
        _check_keys(document, set())
        return loader.construct_document(document)
    finally:
        loader.dispose()


def _check_keys(node: yaml.Node, checked: set[int]) -> None:
    if id(node) in checked:
        # It has an anchor, and is there once more.
        return
    checked.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[tuple[str, str]] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _NamedTwice(key.value, key.start_mark.line + 1)
                seen.add((key.tag, key.value))
            _check_keys(value, checked)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _check_keys(each, checked)
