"""A subscriber of `/v1/events` without a socket: reads while it goes on, as slowly as a test wants. For the gateway's
tests."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.types import ASGIApp

PATIENCE = 10.0


class FeedSubscriber:
    """One request. `events` are the CloudEvents so far, `names` what they and everything else were sent under."""

    def __init__(
        self,
        app: ASGIApp,
        key: str,
        *,
        last: str | None = None,
        method: str = "GET",
        query: Any = (),
    ) -> None:
        headers = [(b"authorization", f"Bearer {key}".encode())]
        if last is not None:
            headers.append((b"last-event-id", last.encode()))
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": "/v1/events",
            "raw_path": b"/v1/events",
            "query_string": urlencode(query).encode(),
            "headers": headers,
            "server": ("gateway", 80),
            "client": ("client", 1),
            "root_path": "",
        }
        self._app = app
        self._asked = False
        self._gone = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()
        self._news = asyncio.Condition()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw = b""
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await self._app(self._scope, self._receive, self._send)
        async with self._news:
            self._news.notify_all()

    async def _receive(self) -> Any:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message.get("body"):
            await self._reads.wait()
            self.raw += message["body"]
        async with self._news:
            self._news.notify_all()

    def pause(self) -> None:
        """Take nothing more."""
        self._reads.clear()

    def go_on(self) -> None:
        """Take what there is."""
        self._reads.set()

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: seen() or self.task.done())
        assert seen(), (self.status, self.raw)

    async def stands(self) -> "FeedSubscriber":
        """Return when it hears whatever happens from now on."""
        await self.until(lambda: b"\n\n" in self.raw)
        return self

    async def count(self, number: int) -> list[Any]:
        """Return the events when there are so many."""
        await self.until(lambda: len(self.events) >= number)
        return self.events

    async def end(self) -> bytes:
        """Return the body when the server has ended it."""
        async with asyncio.timeout(PATIENCE):
            await self.task
        return self.raw

    async def leave(self) -> None:
        """Go away."""
        self._gone.set()
        self._reads.set()
        async with asyncio.timeout(PATIENCE):
            await self.task

    @property
    def blocks(self) -> list[dict[str, str]]:
        """Everything between blank lines, by field. Comments are left out, and so is what is not complete."""
        found = []
        for block in self.raw.decode().split("\n\n")[:-1]:
            lines = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
            assert len({name for name, _, _ in lines}) == len(lines), block
            found.append({name: value for name, _, value in lines})
        return found

    @property
    def named(self) -> list[tuple[str, Any, str]]:
        """Name, data and id of each that has data."""
        return [
            (each["event"], orjson.loads(each["data"]), each.get("id", "")) for each in self.blocks if "data" in each
        ]

    @property
    def events(self) -> list[Any]:
        """The CloudEvents."""
        return [data for name, data, _ in self.named if name.startswith("threadworks.")]

    @property
    def ids(self) -> list[str]:
        """The ids of the CloudEvents."""
        return [place for name, _, place in self.named if name.startswith("threadworks.")]

    @property
    def last_id(self) -> str:
        """What a client would send back now."""
        return [each["id"] for each in self.blocks if "id" in each][-1]
