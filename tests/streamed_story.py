"""A client of streams as strict as can be: what it has read of a run, over however many connections.

Used by the chaos tests. Nothing may be lost, nothing told twice, nothing be of another run.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import orjson
from conformance.event_stream import Event, EventReader
from conformance.stream_order import StreamOrder
from threadworks import demo

HEADERS: Final = {"Authorization": f"Bearer {demo.KEY}"}
PATIENCE: Final = 180.0
"""Seconds for a whole stream on a busy machine."""


@dataclass
class Story:
    """What one client has read of its run, over all of its connections."""

    number: int
    thread_id: str = ""
    run_id: str = ""
    last_id: str = ""
    done: bool = False
    connections: int = 0
    text: dict[str, str] = field(default_factory=dict)
    lifecycle: list[str] = field(default_factory=list)
    final: dict[str, str] = field(default_factory=dict)
    incomplete: dict[str, str] = field(default_factory=dict)
    order: StreamOrder = field(default_factory=lambda: StreamOrder("thread"))

    @property
    def marker(self) -> str:
        return f"strom-{self.number}-ende"

    def takes(self, event: Event) -> None:
        self.last_id = event.id
        if event.name == "done":
            self.done = True
            self.order.sees("done", None)
            return
        data = orjson.loads(event.data)
        assert event.name != "error", data
        self.order.sees(event.name, data)
        if event.name == "thread.run.created":
            self.run_id, self.thread_id = data["id"], data["thread_id"]
        if event.name == "thread.message.delta":
            pieces = [part["text"]["value"] for part in data["delta"]["content"]]
            self.text[data["id"]] = self.text.get(data["id"], "") + "".join(pieces)
            return
        self.lifecycle.append(f"{event.id} {event.name}")
        if event.name == "thread.message.incomplete":
            self.incomplete[data["id"]] = "".join(part["text"]["value"] for part in data["content"])
        if event.name == "thread.message.completed":
            self.final[data["id"]] = data["content"][0]["text"]["value"]

    def check(self) -> None:
        """The story is whole: nothing lost, nothing told twice, nothing of another run."""
        assert self.done
        assert self.order.problems == []
        assert len(self.lifecycle) == len(set(self.lifecycle)), "an event was told twice"
        assert self.text == {**self.incomplete, **self.final}
        (text,) = self.final.values()
        assert self.marker in text


class Client:
    """Streams runs, and goes on where a connection broke."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def begin(self, story: Story, model: str = "demo", leave_after: int | None = None) -> None:
        """Reads the stream of a new run to its end, or until so many events have come."""
        question = f"bitte wiederhole {story.marker} " + "wort " * 40
        body = {
            "assistant_id": demo.ASSISTANT,
            "model": model,
            "stream": True,
            "thread": {"messages": [{"role": "user", "content": question}]},
        }
        async with self._session.post(f"{self._url}/threads/runs", json=body, headers=HEADERS) as response:
            assert response.status == 200, await response.text()
            await self._read(story, response, leave_after)

    async def resume(self, story: Story, leave_after: int | None = None) -> None:
        """Goes on reading after the last event that came; a gateway that is just not there is tried again."""
        url = f"{self._url}/threads/{story.thread_id}/runs/{story.run_id}/events"
        headers = {**HEADERS, **({"Last-Event-ID": story.last_id} if story.last_id else {})}
        try:
            async with self._session.get(url, headers=headers) as response:
                assert response.status == 200, await response.text()
                await self._read(story, response, leave_after)
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.05)

    @staticmethod
    async def _read(story: Story, response: aiohttp.ClientResponse, leave_after: int | None) -> None:
        story.connections += 1
        reader, seen = EventReader(), 0
        try:
            async for data in response.content.iter_any():
                for event in reader.feed(data):
                    story.takes(event)
                    seen += 1
                    if leave_after is not None and seen >= leave_after:
                        assert reader.problems == []
                        response.close()
                        return
        except aiohttp.ClientError:
            return
        assert reader.problems == []


def stream_session() -> aiohttp.ClientSession:
    # Each stream has a connection of its own: so they spread over the gateways.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=aiohttp.ClientTimeout(total=PATIENCE)
    )
