"""The functions that a model can call, as the tool service `moodle`. Built by `bootstrap`."""

from typing import Annotated

from pydantic import Field
from tool_service import ToolContext, ToolError, ToolService

from moodle_tool.application.errors import MoodleError
from moodle_tool.application.read_course import ReadCourse

SERVICE_NAME = "moodle"


def moodle_tools(read_course: ReadCourse, *, timeout: float) -> ToolService:
    """Return the tool service; `timeout` is how long a run waits for an answer, in seconds."""
    service = ToolService(SERVICE_NAME)

    @service.function(timeout=timeout)
    async def get_moodle_course_content(
        courseid: Annotated[str, Field(description="The Moodle course ID, e.g., '51589'.")], context: ToolContext
    ) -> str:
        """Fetches Moodle course content based on course ID."""
        try:
            return await read_course(courseid, time_left=context.time_left(), token=context.credential)
        except MoodleError as error:
            raise ToolError(error.code, error.message) from error

    return service
