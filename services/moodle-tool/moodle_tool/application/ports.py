"""What the use case needs from outside; `adapters.moodle_client` provides it."""

from typing import Protocol

from moodle_tool.application.course import Course


class Courses(Protocol):
    """A source of courses."""

    async def read(self, course_id: int, *, time_left: float) -> Course:
        """Return the visible content of a course. Gives up after `time_left` seconds. Raises MoodleError."""
        ...
