"""Pages of other origins: which may call the gateway from a browser, with all of its dialects. Called by `app`.

Without a setting none may, and there are no headers of CORS at all. Callers are known by keys and ids that they send
themselves, never by cookies, so credentials of the browser are not asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

ANY: Final = "*"
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SHOWN: Final = ("x-request-id", "retry-after", "idempotent-replayed", "openai-poll-after-ms")
"""Headers of replies that a page may read, besides those that every page may."""
_REMEMBERED_SECONDS: Final = 600
"""How long a browser need not ask again."""


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of these origins call `app`."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=list(_METHODS),
            allow_headers=[ANY],
            expose_headers=list(_SHOWN),
            max_age=_REMEMBERED_SECONDS,
        )


def may_connect(headers: Mapping[str, str], origins: Sequence[str]) -> bool:
    """Whether a websocket may be opened: CORS does not hold for them, so the server has to look at the origin itself.

    Programs name none. A page of the gateway's own origin is no stranger.
    """
    origin = headers.get("origin")
    if origin is None or ANY in origins or origin in origins:
        return True
    return origin.partition("://")[2] == headers.get("host")
