"""Calls `core_course_get_contents` of a Moodle: the implementation of the `Courses` port.

The token, the service's or the user's own, travels in the form body of a POST and nowhere else. Redirects are not
followed, so it goes to one address. The call only reads, so it is repeated after a failure that may pass, as long as
there is time.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import httpx
import structlog
from observability.tracing import span
from pydantic import SecretStr

from moodle_tool.adapters.course_contents import read_contents
from moodle_tool.adapters.metrics import MoodleMeter
from moodle_tool.adapters.moodle_errors import (
    REPLY_TOO_LARGE,
    TIMED_OUT,
    UNEXPECTED_REPLY,
    UNREACHABLE,
    about_user,
)
from moodle_tool.adapters.moodle_replies import read_reply
from moodle_tool.application.course import Course
from moodle_tool.application.errors import MoodleError

log = structlog.get_logger(__name__)

_FUNCTION = "core_course_get_contents"
_MAX_REPLY_BYTES = 16 * 1024 * 1024
"""A course of 390 modules has half a megabyte; beyond this the reply is no course."""

_PAUSES = (0.2, 0.8)
"""Seconds before the second and third attempt (±25 %, so that parallel calls do not come back together)."""

_RESERVE = 0.1
"""Seconds of the remaining time that are kept for passing the answer on."""


class MoodleClient:
    """One Moodle, with a token for all who give none. Safe for concurrent use; close it in the end."""

    def __init__(
        self,
        *,
        base_url: str,
        token: SecretStr,
        request_timeout: float,
        meter: MoodleMeter,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`base_url` is Moodle's address without /webservice; `request_timeout` limits one attempt, in seconds."""
        self._url = base_url.rstrip("/") + "/webservice/rest/server.php"
        self._token = token
        self._request_timeout = request_timeout
        self._meter = meter
        self._sleep = sleep
        # A proxy from the environment is for the outside world, never for a Moodle on this machine.
        local = httpx.URL(base_url).host in {"127.0.0.1", "::1", "localhost"}
        self._http = httpx.AsyncClient(
            headers={"user-agent": "threadworks-moodle-tool"}, follow_redirects=False, trust_env=not local
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read(self, course_id: int, *, time_left: float, token: SecretStr | None = None) -> Course:
        """See `Courses.read`. With `token` the service's own is never sent, whatever Moodle says of it."""
        # With the filters of the site, texts come in one language instead of in all of them.
        parameters = {"courseid": str(course_id), "moodlewssettingfilter": "true"}
        try:
            reply = await self._call(_FUNCTION, parameters, self._token if token is None else token, time_left)
        except MoodleError as error:
            raise (error if token is None else about_user(error)) from None
        if not isinstance(reply, list):
            raise UNEXPECTED_REPLY.error()
        return await asyncio.to_thread(read_contents, reply, course_id)

    async def _call(self, function: str, parameters: dict[str, str], token: SecretStr, time_left: float) -> Any:
        clock = asyncio.get_running_loop().time
        end = clock() + time_left - _RESERVE
        for attempt, pause in enumerate((*_PAUSES, None), start=1):
            try:
                return await self._measured(function, parameters, token, min(self._request_timeout, end - clock()))
            except MoodleError as error:
                wait = None if pause is None else max(error.retry_after or 0.0, pause * random.uniform(0.75, 1.25))  # noqa: S311
                if not error.retryable or wait is None or clock() + wait >= end:
                    raise
                log.info(
                    "trying again", action="moodle_retry", code=error.code, attempt=attempt, wait_seconds=round(wait, 2)
                )
            await self._sleep(wait)
        raise AssertionError("the last attempt either returns or raises")

    async def _measured(self, function: str, parameters: dict[str, str], token: SecretStr, time_limit: float) -> Any:
        began = time.monotonic()
        outcome = "interrupted"
        with span(f"Moodle {function}", "client", {"http.request.method": "POST"}) as request:
            try:
                reply = await self._attempt(function, parameters, token, time_limit)
                outcome = "ok"
            except MoodleError as error:
                outcome = error.code
                request.failed(outcome)
                raise
            finally:
                self._meter.requested(time.monotonic() - began, outcome)
        return reply

    async def _attempt(self, function: str, parameters: dict[str, str], token: SecretStr, time_limit: float) -> Any:
        form = {
            "wstoken": token.get_secret_value(),
            "wsfunction": function,
            "moodlewsrestformat": "json",
            **parameters,
        }
        try:
            async with (
                asyncio.timeout(max(time_limit, 0.0)),
                self._http.stream("POST", self._url, data=form, timeout=None) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MAX_REPLY_BYTES:
                        raise REPLY_TOO_LARGE.error()
        except TimeoutError:
            raise TIMED_OUT.error() from None
        except httpx.HTTPError as error:
            # The cause is logged by its class: its text may repeat addresses, never anything a model needs.
            log.warning("Moodle cannot be reached", action="moodle_unreachable", error=type(error).__name__)
            raise UNREACHABLE.error() from None
        return read_reply(response.status_code, response.headers, bytes(body))
