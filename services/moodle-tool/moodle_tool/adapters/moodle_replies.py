"""What Moodle's web service answered → the parsed data, or a MoodleError. Called by `moodle_client`.

Moodle reports errors with HTTP 200 and `{"exception", "errorcode", "message"}`. The message is translated, may be HTML,
and carries SQL or paths when debugging is on, so nothing of it is passed on; `errorcode` decides. It may be missing (an
internal PHP error) or be a sentence, and one code (`invalidrecord`) means two things.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
import structlog

from moodle_tool.adapters.moodle_errors import (
    BY_ERRORCODE,
    BY_STATUS,
    FUNCTION_MISSING,
    MOODLE_FAILED,
    SERVER_FAILED,
    UNEXPECTED_REPLY,
    Explanation,
)
from moodle_tool.application.errors import MoodleError

log = structlog.get_logger(__name__)

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}")
_XML_ERROR = re.compile(r"<EXCEPTION[ >].*?<ERRORCODE>(?P<errorcode>.*?)</ERRORCODE>", re.DOTALL)
_XML_MESSAGE = re.compile(r"<MESSAGE>(?P<message>.*?)</MESSAGE>", re.DOTALL)


def read_reply(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """Return the data of a successful reply. Raises MoodleError for everything else, whatever it looks like.

    `headers` have lower-case names. A reply that is neither data nor an error of Moodle's (a page of a proxy, a
    notice of PHP, the literal `null`) is an error too.
    """
    data, error = _parse(body)
    if error is not None:
        raise _explained(_meaning(*error), status, error[0])
    if status != 200:
        explanation = BY_STATUS.get(status) or (SERVER_FAILED if status >= 500 else MOODLE_FAILED)
        raise _explained(explanation, status, "", _seconds(headers.get("retry-after")))
    if data is None:
        raise _explained(UNEXPECTED_REPLY, status, "")
    return data


def _parse(body: bytes) -> tuple[Any, tuple[str, str] | None]:
    """Return (data, None), (None, (errorcode, message)) or, for anything unreadable, (None, None)."""
    if body.lstrip().startswith(b"<"):
        text = body.decode(errors="replace")
        found = _XML_ERROR.search(text)
        message = _XML_MESSAGE.search(text)
        return None, (found["errorcode"], message["message"] if message else "") if found else None
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, None
    if isinstance(data, dict) and ("exception" in data or "errorcode" in data):
        return None, (str(data.get("errorcode") or ""), str(data.get("message") or data.get("error") or ""))
    return data, None


def _meaning(errorcode: str, message: str) -> Explanation:
    # The table name in the message is the one part that is never translated.
    if errorcode == "invalidrecord" and "external_functions" in message:
        return FUNCTION_MISSING
    return BY_ERRORCODE.get(errorcode, MOODLE_FAILED)


def _explained(explanation: Explanation, status: int, errorcode: str, retry_after: float | None = None) -> MoodleError:
    known = errorcode if _CODE.fullmatch(errorcode) else ("(none)" if not errorcode else "(a sentence)")
    log.info("Moodle refused", action="moodle_refused", code=explanation.code, status=status, errorcode=known)
    message = explanation.message
    if explanation is MOODLE_FAILED and _CODE.fullmatch(errorcode):
        message += f" Moodle's error code: {errorcode}."
    return MoodleError(explanation.code, message, retryable=explanation.retryable, retry_after=retry_after)


def _seconds(value: str | None) -> float | None:
    """Read `retry-after`; the form with a date is not used by Moodle and counts as missing."""
    return float(value) if value is not None and value.isascii() and value.isdigit() else None
