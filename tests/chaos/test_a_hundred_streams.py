"""A hundred streams at once through two gateways and two orchestrators: whole, apart from each other, and resumable.

The model repeats the question, so each stream's text tells whose it is.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import asyncpg
import orjson
from conformance.event_stream import Event, EventReader
from conformance.stream_order import StreamOrder
from installation import Installation, StartUp
from threadworks import demo

STREAMS: Final = 100
HEADERS: Final = {"Authorization": f"Bearer {demo.KEY}"}
PATIENCE: Final = 180.0


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
        if event.name == "thread.message.completed":
            self.final[data["id"]] = data["content"][0]["text"]["value"]

    def check(self) -> None:
        """The story is whole: nothing lost, nothing told twice, nothing of another run."""
        assert self.done
        assert self.order.problems == []
        assert len(self.lifecycle) == len(set(self.lifecycle)), "an event was told twice"
        assert self.text == self.final
        (text,) = self.final.values()
        assert self.marker in text


class Client:
    """Streams runs, and goes on where a connection broke."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def begin(self, story: Story, model: str, leave_after: int | None = None) -> None:
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


def _session() -> aiohttp.ClientSession:
    # Each stream has a connection of its own: so they spread over the gateways.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=aiohttp.ClientTimeout(total=PATIENCE)
    )


async def test_a_hundred_streams_at_once(start_up: StartUp) -> None:
    installation = await start_up(GATEWAYS="2", ORCHESTRATORS="2")
    stories = [Story(number) for number in range(STREAMS)]
    async with _session() as session:
        client = Client(installation.url, session)
        async with asyncio.timeout(PATIENCE):
            # The second of a consumer group gets its share some seconds after the first.
            while _orchestrators_at_work(installation) < 2:
                await client.begin(Story(0), "demo")

        async def begin(story: Story) -> None:
            # One after the other, as people come: of a hundred at the same moment one gateway may take all.
            await asyncio.sleep(0.01 * story.number)
            await client.begin(story, "demo+tps=50+first=1.5")

        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(begin(story) for story in stories))
        for story in stories:
            story.check()
            assert story.connections == 1
            assert list(story.final.values()) == await _stored(session, installation, story)
    assert len({story.run_id for story in stories}) == STREAMS
    assert len(await _slots(installation)) == 2, "both gateways had streams"


async def test_a_hundred_streams_that_are_cut_anywhere_and_resumed(start_up: StartUp) -> None:
    installation = await start_up(GATEWAYS="2", ORCHESTRATORS="2")
    rng = random.Random(20261124)
    stories = [Story(number) for number in range(STREAMS)]
    begun = asyncio.Semaphore(0)

    async def follow(client: Client, story: Story) -> None:
        await client.begin(story, "demo+tps=40", leave_after=rng.randint(2, 25))
        begun.release()
        while not story.done:
            await client.resume(story, leave_after=rng.choice([None, rng.randint(1, 20)]))

    async def kill_a_gateway() -> None:
        for _ in range(STREAMS // 2):
            await begun.acquire()
        victim = installation.processes("gateway")[0]
        victim.kill()

    async with _session() as session:
        client = Client(installation.url, session)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(kill_a_gateway(), *(follow(client, story) for story in stories))
        for story in stories:
            story.check()
            whole = Story(story.number, thread_id=story.thread_id, run_id=story.run_id, order=StreamOrder("run"))
            await client.resume(whole)
            whole.check()
            # The stream of the POST begins with the thread; the events of a run begin with the run.
            assert [one for one in story.lifecycle if not one.endswith(" thread.created")] == whole.lifecycle
            assert story.text == whole.text
    assert sum(story.connections for story in stories) > 2 * STREAMS


async def test_two_readers_of_one_run_both_get_all_of_it(start_up: StartUp) -> None:
    installation = await start_up(GATEWAYS="2", ORCHESTRATORS="1")
    async with _session() as session:
        client = Client(installation.url, session)
        first = Story(1)
        async with asyncio.timeout(PATIENCE):
            reading = asyncio.create_task(client.begin(first, "demo+tps=20"))
            while not first.text:
                await asyncio.sleep(0.01)
            others = [
                Story(1, thread_id=first.thread_id, run_id=first.run_id, order=StreamOrder("run")) for _ in range(6)
            ]
            await asyncio.gather(reading, *(client.resume(story) for story in others))
        first.check()
        for story in others:
            story.check()
            assert story.connections == 1
            assert story.text == first.text


async def _stored(session: aiohttp.ClientSession, installation: Installation, story: Story) -> list[Any]:
    url = f"{installation.url}/threads/{story.thread_id}/messages"
    async with session.get(url, headers=HEADERS, params={"run_id": story.run_id}) as response:
        return [message["content"][0]["text"]["value"] for message in (await response.json())["data"]]


async def _slots(installation: Installation) -> set[int]:
    return {row["slot"] for row in await _rows(installation, "SELECT DISTINCT unnest(stream_slots) AS slot FROM runs")}


def _orchestrators_at_work(installation: Installation) -> int:
    logs = installation.data_dir.glob("logs/orchestrator-*.log")
    return sum('"run_claimed"' in log.read_text() for log in logs)


async def _rows(installation: Installation, statement: str) -> list[Any]:
    connection = await asyncpg.connect((installation.data_dir / "database-url").read_text().strip())
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
