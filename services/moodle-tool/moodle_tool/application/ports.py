"""What the use case needs from outside; `adapters.moodle_client` provides it."""

from typing import Protocol

from pydantic import SecretStr

from moodle_tool.application.course import Course


class Courses(Protocol):
    """A source of courses."""

    async def read(self, course_id: int, *, time_left: float, token: SecretStr | None = None) -> Course:
        """Return the visible content of a course, as the user whose `token` it is may see it.

        Without one it is the service's own account that looks. Gives up after `time_left` seconds. Raises MoodleError.
        """
        ...
