"""The use case: which course ids are accepted, and that the text is bounded."""

from zoneinfo import ZoneInfo

import pytest
from moodle_tool.application.course import Course, Section
from moodle_tool.application.errors import MoodleError
from moodle_tool.application.read_course import ReadCourse
from pydantic import SecretStr


class Shelf:
    """A source of courses that notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float]] = []

    async def read(self, course_id: int, *, time_left: float, token: SecretStr | None = None) -> Course:
        self.asked.append((course_id, time_left))
        return Course(course_id=course_id, address=None, sections=(Section(name="S", text="word " * 5000),))


def reading(shelf: Shelf) -> ReadCourse:
    return ReadCourse(shelf, zone=ZoneInfo("Europe/Berlin"), text_limit=2_000)


@pytest.mark.parametrize("written", ["51589", " 51589 ", "00051589", "51589\n"])
async def test_a_course_id_may_be_written_untidily(written: str) -> None:
    shelf = Shelf()
    text = await reading(shelf)(written, time_left=7.5)
    assert shelf.asked == [(51589, 7.5)]
    assert text.startswith("Moodle course 51589")
    assert len(text) <= 2_000


@pytest.mark.parametrize("written", ["", "0", "-1", "abc", "51589.0", "51589abc", "5 1", "9" * 19, "५", "1,2", "id=7"])
async def test_what_cannot_be_a_course_id_is_not_asked_for(written: str) -> None:
    shelf = Shelf()
    with pytest.raises(MoodleError, match="digits only") as caught:
        await reading(shelf)(written, time_left=7.5)
    assert caught.value.code == "invalid_arguments"
    assert shelf.asked == []
