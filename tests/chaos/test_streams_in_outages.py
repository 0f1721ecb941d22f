"""Streams through what happens to the parts behind them: one connection, and the whole story all the same."""

import asyncio
from pathlib import Path

from driven_where import driver_of
from held_model import HeldModel
from installation import StartUp
from streamed_story import PATIENCE, Client, Story, stream_session
from threadworks.local_servers import LocalKafka, LocalPostgres

IN_THE_MIDDLE = {"steps": [{"answer": 3}, {"gate": "middle"}, {"answer": True}]}


async def begun(story: Story) -> None:
    """Returns once the story's text has begun."""
    async with asyncio.timeout(PATIENCE):
        while not story.text:
            await asyncio.sleep(0.02)


async def test_an_orchestrator_is_killed_while_its_run_is_streamed(start_up: StartUp, model: HeldModel) -> None:
    installation = await start_up()
    await model.script(IN_THE_MIDDLE)
    async with stream_session() as session, asyncio.timeout(PATIENCE):
        story = Story(1)
        reading = asyncio.create_task(Client(installation.url, session).begin(story))
        await begun(story)
        driver_of(installation, story.run_id).kill()
        await reading
    story.check()
    assert story.connections == 1
    (cut,) = story.incomplete.values()
    (whole,) = story.final.values()
    assert whole.startswith(cut)
    told = [line.split()[1] for line in story.lifecycle]
    assert told.index("thread.message.incomplete") + 1 == told.index("thread.run.step.failed")


async def test_kafka_goes_away_in_the_middle_of_a_stream(
    start_up: StartUp, model: HeldModel, own_kafka: LocalKafka
) -> None:
    installation = await start_up(THREADWORKS_KAFKA_BOOTSTRAP=own_kafka.bootstrap_servers)
    await model.script(IN_THE_MIDDLE)
    async with stream_session() as session, asyncio.timeout(PATIENCE):
        client, story, other = Client(installation.url, session), Story(1), Story(2)
        reading = asyncio.create_task(client.begin(story))
        await begun(story)
        await own_kafka.kill()
        await model.release("middle")
        await reading
        story.check()
        # One that begins without Kafka is found by looking, and its text comes from the database.
        await client.begin(other)
        other.check()
        await own_kafka.start()
        assert (story.connections, other.connections) == (1, 1)


async def test_postgres_goes_away_in_the_middle_of_a_stream(
    start_up: StartUp, model: HeldModel, server_directory: Path
) -> None:
    postgres = LocalPostgres(server_directory / "stream-postgres")
    await postgres.start()
    try:
        installation = await start_up(THREADWORKS_DATABASE_URL=postgres.url())
        await model.script(IN_THE_MIDDLE)
        async with stream_session() as session, asyncio.timeout(PATIENCE):
            story = Story(1)
            reading = asyncio.create_task(Client(installation.url, session).begin(story))
            await begun(story)
            await postgres.kill()
            await model.release("middle")
            await asyncio.sleep(3)  # the outage itself
            await postgres.start()
            await reading
        story.check()
        assert (story.connections, len(story.final)) == (1, 1)
    finally:
        for left in start_up.started:
            await left.stop()
        await postgres.stop()
