"""Parameters of queries, and headers, that operations are described with."""

from typing import Any, Final

from run_engine.domain.drafts import PageRequest

from gateway.entrypoints.http.idempotency import LONGEST_KEY
from gateway.entrypoints.http.openai.document.description import Parameter
from gateway.entrypoints.http.openai.operations.files import MOST_LISTED
from gateway.entrypoints.http.openai.requests.fields import MOST_PAIRS
from gateway.entrypoints.http.openai.requests.paging import MOST
from gateway.entrypoints.http.openai.requests.path_ids import ID_PATTERN

ID: Final[dict[str, Any]] = {"type": "string", "pattern": f"^{ID_PATTERN}$"}
"""The form of every id, of this server or imported."""

_ORDER: Final = Parameter(
    name="order",
    description="By created_at, and in the order of insertion within a second.",
    schema={"type": "string", "enum": ["asc", "desc"], "default": "desc"},
)
_AFTER: Final = Parameter(name="after", description="The id that the page begins behind.", schema=ID)
_BEFORE: Final = Parameter(name="before", description="The id that the page ends ahead of.", schema=ID)


def _limit(default: int, most: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return Parameter(name="limit", description="How many there are on a page at most.", schema=schema)


PAGE: Final = (_limit(PageRequest().limit, MOST), _ORDER, _AFTER, _BEFORE)
FILE_PAGE: Final = (
    Parameter(name="purpose", description="Only files of this purpose."),
    _limit(MOST_LISTED, MOST_LISTED),
    _ORDER,
    _AFTER,
)
OF_RUN: Final = Parameter(name="run_id", description="Only messages of this run.", schema=ID)
OF_THREAD: Final = Parameter(name="thread_id", description="Only this thread, and what is in it.", schema=ID)
INCLUDE: Final = Parameter(
    name="include[]",
    description="Accepted; there are no results of file search to be included yet.",
    schema={
        "type": "array",
        "items": {"type": "string", "enum": ["step_details.tool_calls[*].file_search.results[*].content"]},
    },
)
RANGE: Final = Parameter(name="Range", description="One range of bytes, as `bytes=0-99`.", place="header")
LAST_EVENT: Final = (
    Parameter(name="Last-Event-ID", description="The `id` of the last event that was seen.", place="header"),
    Parameter(name="last_event_id", description="The same, for clients that cannot set the header."),
)
OF_TYPE: Final = Parameter(
    name="type",
    description="Only events of this type (`threadworks.run.completed.v1`, `run.completed`) or of this entity "
    "(`run.*`); may be repeated.",
    schema={"type": "array", "items": {"type": "string"}},
)
WITH_METADATA: Final = Parameter(
    name="metadata",
    description="Pairs that the threads have, as `metadata[key]=value`.",
    schema={
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 512},
        "maxProperties": MOST_PAIRS,
    },
    style="deepObject",
)
IDEMPOTENCY_KEY: Final = Parameter(
    name="Idempotency-Key",
    description="The request has one effect in 24 hours however often it is sent, and gets the same reply.",
    schema={"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    place="header",
    extension=True,
)
TOOL_CREDENTIAL: Final = Parameter(
    name="X-Tool-Credential",
    description="The user's own credential for a tool service, `moodle=<token>`: kept sealed for the thread, and used "
    "instead of the service's own. An empty one takes it back.",
    schema={"type": "string"},
    place="header",
    extension=True,
)
BETA: Final = {
    version: Parameter(
        name="OpenAI-Beta",
        description=f"Version of the API; only servers in strict mode ask for it.{more}",
        schema={"type": "string", "const": f"assistants=v{version}"},
        place="header",
    )
    for version, more in ((1, " Version 2 does not have this."), (2, " With `assistants=v1` version 1 is spoken."))
}
