"""The content of a course of Moodle, for a front end that shows it or hands it on."""

from http import HTTPStatus

import orjson

from gateway.application.course_catalogue import CourseCatalogue
from gateway.application.tool_calls import NoToolService, ToolCallFailed, ToolCalls, ToolServicesAway
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.owlie.presenters import ok
from gateway.entrypoints.http.owlie.refusals import Refusal
from gateway.entrypoints.http.owlie.requests import CourseContent, parse
from gateway.entrypoints.http.presence import while_present

FUNCTION = "get_moodle_course_content"


class CourseContentOperations:
    """Handler for `/api/tools/get_moodle_course_content`.

    Of the courses in the catalogue alone: the caller has no key, and the account that Moodle is read with may see more.
    """

    def __init__(self, tool_calls: ToolCalls, catalogue: CourseCatalogue) -> None:
        self._tool_calls = tool_calls
        self._catalogue = catalogue

    async def read(self, call: Call) -> Reply:
        """POST: asks the service that answers the function. Keys itself: it changes nothing, and nothing is kept."""
        course_id = str((await parse(call, CourseContent)).courseid)
        if not self._catalogue.has_course(course_id):
            raise Refusal(HTTPStatus.NOT_FOUND, "There is no such course.")
        try:
            arguments = orjson.dumps({"courseid": course_id}).decode()
            content = await while_present(call, self._tool_calls.call(call.tenant_id, FUNCTION, arguments))
        except ToolCallFailed as failed:
            raise Refusal(HTTPStatus.BAD_GATEWAY, f"The course could not be read: {failed}") from None
        except NoToolService:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "No service reads courses at the moment.") from None
        except ToolServicesAway:
            raise Refusal(HTTPStatus.GATEWAY_TIMEOUT, "The course could not be read in time.") from None
        return ok({"status": "success", "content": content})
