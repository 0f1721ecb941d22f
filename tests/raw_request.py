"""Sends one request to an ASGI application byte by byte as it is given, and reads the reply as far as is wanted.

HTTP clients put right what is wrong with a request; nothing is put right here. Used by the tests of the gateway.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.types import ASGIApp

Headers = Iterable[tuple[bytes, bytes]]

_PATIENCE = 0.2
"""Seconds that a stream is listened to in which nothing comes."""


class RawReply(NamedTuple):
    """A reply, or the beginning of a stream."""

    status: int
    headers: dict[str, str]
    content: bytes


def first_event(content: bytes) -> bool:
    """Whether there is a whole event."""
    return b"\n\n" in content


async def send(
    app: ASGIApp,
    method: str,
    target: str,
    *,
    headers: Headers = (),
    body: bytes = b"",
    enough: Callable[[bytes], bool] = first_event,
) -> RawReply:
    """Return the reply to a request. `target` is path and query, percent-encoded. Streams are left when `enough`."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower(), value) for name, value in headers],
        "server": ("gateway", 80),
        "client": ("client", 1),
        "root_path": "",
    }
    requests = [{"type": "http.request", "body": body, "more_body": False}]
    begun: list[Any] = []
    pieces: list[bytes] = []
    news, gone = asyncio.Event(), asyncio.Event()

    async def receive() -> Any:
        if requests:
            return requests.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def take(message: Any) -> None:
        if message["type"] == "http.response.start":
            begun.append(message)
        else:
            pieces.append(message.get("body", b""))
        news.set()

    task = asyncio.create_task(app(scope, receive, take))  # type: ignore[arg-type]
    task.add_done_callback(lambda _: news.set())

    def streaming() -> bool:
        return bool(begun) and dict(begun[0]["headers"])[b"content-type"].startswith(b"text/event-stream")

    while not task.done() and not (streaming() and enough(b"".join(pieces))):
        try:
            await asyncio.wait_for(news.wait(), _PATIENCE if streaming() else 30)
        except TimeoutError:
            assert streaming(), f"no reply to {method} {target}"
            break
        news.clear()
    gone.set()
    await asyncio.wait_for(task, 10)
    names = {name.decode("latin-1"): value.decode("latin-1") for name, value in begun[0]["headers"]}
    return RawReply(begun[0]["status"], names, b"".join(pieces))
