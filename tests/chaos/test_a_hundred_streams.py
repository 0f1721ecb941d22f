"""A hundred streams at once through two gateways and two orchestrators: whole, apart from each other, and resumable.

The model repeats the question, so each stream's text tells whose it is.
"""

import asyncio
import random
from typing import Any, Final

import aiohttp
import asyncpg
from conformance.stream_order import StreamOrder
from installation import Installation, StartUp
from streamed_story import HEADERS, PATIENCE, Client, Story, stream_session

STREAMS: Final = 100


async def test_a_hundred_streams_at_once(start_up: StartUp) -> None:
    installation = await start_up(GATEWAYS="2", ORCHESTRATORS="2")
    stories = [Story(number) for number in range(STREAMS)]
    async with stream_session() as session:
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

    async with stream_session() as session:
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
    async with stream_session() as session:
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
