"""The HTTP surface: Moodle's REST address, a page that says what this is, and the control endpoint.

Control, for tests in other processes (JSON):

* `GET /_simulator/script` — counters of calls per function, and what is scripted.
* `POST /_simulator/script` — any of `{"delay_seconds": 0.5, "fail_next": {"count": 2, "recording":
  "core_course_get_contents/err_php_fatal_http500"}, "hold": {"courseid": "51589"}}`; `"hold": null` releases.
* `DELETE /_simulator/script` — everything back to the start.

In one process use `app.state.script` (a `Script`) instead.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from moodle_simulator.moodle_request import read_request
from moodle_simulator.recordings import Recordings
from moodle_simulator.replies import Replies
from moodle_simulator.script import Script

SERVER_HEADER = "threadworks-moodle-simulator"
REST_PATH = "/webservice/rest/server.php"

_PAGE = """<!doctype html><html lang="en"><head><title>Moodle simulator</title></head><body>
<h1>This is the Moodle simulator of Threadworks, not a Moodle</h1>
<p>It replays replies that were recorded from a Moodle 4.4.3+ with invented courses and people, at
<code>/webservice/rest/server.php</code>. Nothing here is real, and nothing can be changed. Set
<code>THREADWORKS_MOODLE_BASE_URL</code> and <code>THREADWORKS_MOODLE_TOKEN</code> to use your own Moodle.</p>
</body></html>"""

log = structlog.get_logger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(recordings: Recordings | None = None) -> Starlette:
    """Build the simulator. Its `Script` is at `app.state.script`."""
    recordings = recordings or Recordings.load()
    replies, script = Replies(recordings), Script(recordings)
    app = Starlette(
        routes=[
            Route("/", _root, methods=["GET"]),
            Route(
                REST_PATH, _rest(replies, script), methods=["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "PATCH"]
            ),
            Route("/_simulator/script", _control(replies, script), methods=["GET", "POST", "DELETE"]),
        ]
    )
    app.state.script = script
    return app


async def _root(_request: Request) -> Response:
    return HTMLResponse(_PAGE, headers={"server": SERVER_HEADER})


def _rest(replies: Replies, script: Script) -> Endpoint:
    async def rest(http: Request) -> Response:
        request = await read_request(http)
        recording = await script.apply(request) or replies.to(request)
        if recording is None:
            # No token and no values in the log: only what names the gap.
            owner = replies.owner_of(request.token)
            log.warning(
                "no recording answers this call",
                action="not_recorded",
                function=request.function,
                owner=owner,
                parameters=sorted(request.params),
            )
            return JSONResponse(
                {"simulator": f"This is the Moodle simulator. It has no recording of {request.function} as {owner}."},
                status_code=501,
                headers={"server": SERVER_HEADER},
            )
        log.debug("answered", action="replayed", function=request.function, recording=recording.name)
        return Response(recording.body, recording.status, headers={**recording.headers, "server": SERVER_HEADER})

    return rest


def _control(replies: Replies, script: Script) -> Endpoint:
    async def control(http: Request) -> Response:
        if http.method == "DELETE":
            await script.reset()
            replies.reset()
        elif http.method == "POST":
            try:
                await _apply(script, json.loads(await http.body()))
            except (KeyError, TypeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(script.state())

    return control


async def _apply(script: Script, wishes: dict[str, Any]) -> None:
    unknown = wishes.keys() - {"delay_seconds", "fail_next", "hold"}
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    if "delay_seconds" in wishes:
        script.delay(float(wishes["delay_seconds"]))
    if "fail_next" in wishes:
        script.fail_next(int(wishes["fail_next"]["count"]), str(wishes["fail_next"]["recording"]))
    if "hold" in wishes:
        if wishes["hold"] is None:
            await script.release()
        else:
            script.hold(wishes["hold"])
