"""What clients of `/api` send: bodies, queries, and the messages of a websocket.

Fields that nobody knows are passed over: there are several versions of the front end, and none is to be turned away.
"""

from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gateway.entrypoints.http.exchange import Call
from gateway.entrypoints.http.owlie.refusals import Refusal

LONGEST_TEXT: Final = 256_000
"""Characters of a message, as in the other dialects."""
LARGEST_BODY: Final = 4 * 1024 * 1024
"""Bytes of a request that is no upload, as of a websocket's message: room for the longest text, however it is escaped.
Not more, for whoever sends it has no key, and to read one of tiny parts takes a tenth of a second for each mebibyte."""
MOST_OUTPUTS: Final = 128
"""Calls that a model makes at once, at the most."""

_MOST_PARAMETERS: Final = 32


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the character U+0000 cannot be stored")
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""A text that the database can hold: PostgreSQL's have every character but one."""
Content = Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT)]
Token = str
"""Of any length: one that cannot be a token is told as all others that stand for nothing."""
Name = Annotated[str, Field(min_length=1, max_length=256)]


class Body(BaseModel):
    """Base of all requests."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class NewChat(Body):
    """The body of POST /api/new."""

    assistant_id: Token
    old_thread_id: str | None = None
    """The chat that is left. It stays as it is: its owner may come back to it, and its runs are paid for. A browser may
    have kept it since a key was retired, so it is not even looked at."""


class Question(Body):
    """The body of POST /api/threads/{thread_id}, and of the routes that wait for the answer."""

    content: Content
    assistant_id: Token | None = None


class SocketQuestion(Body):
    """A message of a websocket."""

    thread_id: Token
    assistant_id: Token | None = None
    message: Content


class StreamQuery(Body):
    """The query of GET …/stream."""

    message: Content
    assistant_id: Token | None = None


class ToolOutput(Body):
    """One element of the body of POST …/tool."""

    tool_id: Annotated[Text, Field(min_length=1, max_length=256)]
    output: Annotated[Text, Field(max_length=512 * 1024)]


class ChangeThread(Body):
    """The body of POST /api/change_thread."""

    thread_id: Token
    assistant_id: Token


class CourseContent(Body):
    """The body of POST /api/tools/get_moodle_course_content. Forms of browsers send numbers."""

    courseid: Annotated[str, Field(pattern="^[0-9]{1,18}$")] | Annotated[int, Field(ge=0, lt=10**18)]


class CoursesQuery(Body):
    """The query of GET /api/courses."""

    university: Name
    degree: Name
    subject: Name


class AssistantQuery(Body):
    """The query of GET /api/get_assistant_ids."""

    course_name: Name
    mode_name: Name


_OUTPUTS: Final = TypeAdapter(Annotated[list[ToolOutput], Field(min_length=1, max_length=MOST_OUTPUTS)])

Request = TypeVar("Request", bound=Body)


async def parse(call: Call, kind: type[Request]) -> Request:
    """Read the body of `call` as a `kind`. Raises `Refusal`."""
    return read(await call.body(), kind)


def read(text: bytes | str, kind: type[Request]) -> Request:
    """Read a JSON text as a `kind`. Raises `Refusal`."""
    value = _loaded(text)
    if not isinstance(value, dict):
        raise Refusal(422, "Expected a JSON object.")
    return _valid(value, kind)


async def parse_outputs(call: Call) -> list[tuple[str, str]]:
    """Read the body of `call` as outputs of tool calls, (call id, text). Raises `Refusal`."""
    value = _loaded(await call.body())
    try:
        outputs = _OUTPUTS.validate_python(value if isinstance(value, list) else [value])
    except ValidationError as error:
        raise _refusal(error) from None
    return [(each.tool_id, each.output) for each in outputs]


def query(call: Call, kind: type[Request]) -> Request:
    """Read the query of `call` as a `kind`. Raises `Refusal`."""
    try:
        pairs = parse_qsl(
            call.query.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise Refusal(422, f"There are more than {_MOST_PARAMETERS} parameters.") from None
    return _valid(dict(pairs), kind)


def _loaded(text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = str(error).partition(":")[0]
        raise Refusal(422, f"It is no JSON: {reason}, at character {error.pos}.") from None


def _valid(value: Any, kind: type[Request]) -> Request:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> Refusal:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return Refusal(422, f"{place}: {message}" if place else message)
