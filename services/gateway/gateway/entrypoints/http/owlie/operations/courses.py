"""The course catalogue: which courses there are, and which assistant is talked to."""

from gateway.application.course_catalogue import CourseCatalogue
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.owlie.encrypted_ids import EncryptedIds
from gateway.entrypoints.http.owlie.presenters import ok
from gateway.entrypoints.http.owlie.refusals import Refusal
from gateway.entrypoints.http.owlie.requests import AssistantQuery, CoursesQuery, query


class CourseOperations:
    """Handlers for `/api/courses` and `/api/get_assistant_ids`."""

    def __init__(self, catalogue: CourseCatalogue, ids: EncryptedIds) -> None:
        self._catalogue = catalogue
        self._ids = ids

    async def list(self, call: Call) -> Reply:
        """GET /api/courses, of one subject."""
        asked = query(call, CoursesQuery)
        names = self._catalogue.courses_of(asked.university, asked.degree, asked.subject)
        if names is None:
            raise Refusal(404, "There is no such university, degree or subject.")
        return ok({"courses": names})

    async def assistant(self, call: Call) -> Reply:
        """GET /api/get_assistant_ids, of one mode of a course. Its refusal has another member than all others."""
        asked = query(call, AssistantQuery)
        found = self._catalogue.assistant_of(asked.course_name, asked.mode_name)
        if found is None:
            raise Refusal(404, "There is no such course, or it has no such mode.", member="error")
        return ok({"assistant_id": self._ids.token("assistant", found)})
