"""The use case behind the tool function `get_moodle_course_content`."""

import asyncio
import re
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from moodle_tool.application.course_text import course_text
from moodle_tool.application.errors import MoodleError
from moodle_tool.application.ports import Courses

_COURSE_ID = re.compile(r"0*([1-9][0-9]{0,17})")


class ReadCourse:
    """Reads a course and writes it down for a model."""

    def __init__(self, courses: Courses, *, zone: ZoneInfo, text_limit: int) -> None:
        self._courses = courses
        self._zone = zone
        self._text_limit = text_limit

    async def __call__(self, course_id: str, *, time_left: float, token: SecretStr | None = None) -> str:
        """Return the course as text of at most `text_limit` characters.

        `course_id` is what the model wrote; `time_left` is in seconds; `token` is the user's own, if any. Raises
        MoodleError, with the code `invalid_arguments` for something that cannot be a course id (Moodle would only say
        "invalid parameter").
        """
        number = _COURSE_ID.fullmatch(course_id.strip())
        if number is None:
            raise MoodleError(
                "invalid_arguments",
                "courseid must be the number of a Moodle course, digits only, such as '51589'. "
                "It is the number at the end of the course's address in Moodle (course/view.php?id=…).",
            )
        course = await self._courses.read(int(number[1]), time_left=time_left, token=token)
        # A course may hold half a megabyte; writing it down must not hold up the other calls.
        return await asyncio.to_thread(course_text, course, zone=self._zone, limit=self._text_limit)
