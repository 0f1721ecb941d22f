"""One call as Moodle reads it: fields of the query and of a form body, nothing else.

`app` builds it from the HTTP request; `replies` chooses the recording by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class MoodleRequest:
    """`token` is None when no wstoken arrived; `params` are all other fields except wsfunction."""

    method: str
    token: str | None
    function: str | None
    params: Mapping[str, str]

    @property
    def wants_json(self) -> bool:
        """Moodle answers JSON for exactly this word and XML for anything else."""
        return self.params.get("moodlewsrestformat") == "json"


async def read_request(request: Request) -> MoodleRequest:
    """Collect the fields. A JSON body, an Authorization header and the body of a PUT are not read, as in Moodle."""
    fields: dict[str, str] = {}
    if request.method in {"GET", "HEAD", "POST"}:
        fields.update(request.query_params)
    if request.method == "POST":
        async with request.form() as form:
            fields.update({name: value for name, value in form.items() if isinstance(value, str)})
    return MoodleRequest(
        method=request.method,
        token=fields.pop("wstoken", None),
        function=fields.pop("wsfunction", None),
        params=fields,
    )
